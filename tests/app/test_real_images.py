"""Networks of real images in a browser, for which --real_data names a folder."""

import json
import warnings

import jax
import numpy as np
import pytest

from configs import kd
from kdjax.app import site, web_runtime
from kdjax.data.tfds import writer
from kdjax.interchange import serving as interchange_serving
from kdjax.runs.loaded import load_network
from kdjax.training import train
from tests.app.conftest import serving

RUN = """async ({ file, pixels, shape }) => {
  const { run } = await import(new URL("js/inference.js", document.baseURI));
  const size = shape[0] * shape[1] * shape[2];
  const logits = [];
  for (let begin = 0; begin < pixels.length; begin += size) {
    const image = new Uint8Array(pixels.slice(begin, begin + size));
    logits.push((await run(file, image, shape)).logits);
  }
  return logits;
}"""


@pytest.mark.slow
@pytest.mark.usefixtures("one_device")
def test_200_images_of_mnist_have_the_logits_of_flax(real_data, browser, tmp_path):
    writer.prepare("mnist", manual_dir=real_data("mnist"), data_dir=str(tmp_path))
    config = kd.get_config("mnist,baseline=0")
    config.data.data_dir, config.data.fraction = str(tmp_path), 0.1
    config.epochs, config.tensorboard = 1, False
    with jax.numpy_dtype_promotion("standard"):
        train.run(config, tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        options = site.Options(images=200)
        site.write(tmp_path / "pages", [tmp_path / "run"], options, served=False)
    web_runtime.copy(tmp_path / "pages" / "runtime")
    folder = tmp_path / "pages" / "runs" / "0"
    data = json.loads((folder / "compare.json").read_text())
    height, width, channels = shape = data["image_shape"]
    pixels = np.fromfile(folder / data["images"]["file"], np.uint8)
    images = pixels.reshape(200, height, width, channels)
    with serving() as start:
        page = browser.new_page()
        page.goto(start(tmp_path / "pages").url)
        for network in data["networks"]:
            file = f"runs/0/{network['file']}"
            argument = {"file": file, "pixels": pixels.tolist(), "shape": shape}
            logits = np.array(page.evaluate(RUN, argument))
            loaded = load_network(tmp_path / "run", network["name"])
            expected = np.asarray(interchange_serving.compiled(loaded)(images)["logits"])
            largest = np.abs(expected).max()
            print(network["name"], np.abs(logits - expected).max() / largest)
            assert np.abs(logits - expected).max() <= 1e-4 * largest
            assert np.array_equal(logits.argmax(axis=1), expected.argmax(axis=1))
        page.close()
