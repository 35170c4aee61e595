"""`kdjax predict`: the run's predictions for its images; any image; files that are no images."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdjax.config import build_data
from kdjax.evaluation import new_images
from kdjax.interchange import serving
from kdjax.interchange.formats import stablehlo
from kdjax.interchange.serving import ExportedFile
from kdjax.runs import workdir
from kdjax.runs.loaded import load_network
from kdjax.system.errors import UserError
from tests.interchange.exports import load

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


def call(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "kdjax", "predict", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def digits(two_phases, tmp_path):
    """A folder with 40 test images of the run at their own size, and their pixels."""
    data = build_data.load_data(workdir.load_config(two_phases[0]))
    pixels = data.splits["test"].image.read(slice(40))
    for index, image in enumerate(pixels):
        folder = tmp_path / "images" / f"part{index % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{index:03}.png")
    (tmp_path / "images" / "notes.txt").write_text("no image")
    (tmp_path / "images" / ".hidden.png").write_bytes(b"no image either")
    return tmp_path / "images", pixels


@pytest.mark.parametrize("source", ["workdir", "file"])
def test_a_runs_images_have_its_predictions(source, two_phases, digits, tmp_path):
    """A folder is searched in depth, in the order of names."""
    folder, pixels = digits
    loaded = load_network(two_phases[0], "peer_0")
    if source == "file":
        path = tmp_path / "peer.stablehlo.zip"
        path.write_bytes(stablehlo.encode(loaded))
        network = new_images.of_file(path)
    else:
        network = new_images.of_workdir(two_phases[0], "peer_0")
    record = new_images.predict(network, [folder])
    order = sorted(range(40), key=lambda index: (index % 2, index))
    assert [Path(image["image"]).stem for image in record["images"]] == [f"{i:03}" for i in order]
    expected = serving.compiled(loaded)(pixels[order])["probabilities"]
    probabilities = [image["probabilities"] for image in record["images"]]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    assert record["class_names"] == [str(digit) for digit in range(10)]
    assert not record["unread"]


def test_images_of_any_size_and_mode_and_those_that_are_none(two_phases, tmp_path):
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (31, 57, 3), dtype=np.uint8))
    for mode in ("RGB", "L", "RGBA", "P", "CMYK", "1"):
        colour.convert(mode).save(tmp_path / f"{mode}.{'tiff' if mode == 'CMYK' else 'png'}")
    Image.fromarray(rng.integers(0, 65536, (3, 900), dtype=np.uint16)).save(tmp_path / "deep.png")
    whole = (tmp_path / "RGB.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    output = tmp_path / "out" / "answers"
    output.parent.mkdir()
    done = call(
        f"--workdir={two_phases[0]}",
        "--network=peer_0",
        "--top=3",
        f"--output={output}",
        tmp_path,
        tmp_path / "none.png",
        cwd=tmp_path,
    )
    assert done.returncode == 2
    *unread, _, last = done.stderr.splitlines()
    assert last == "kdjax: 3 of the 10 images cannot be read: see above"
    assert [line.partition(": ")[0] for line in unread] == [
        str(tmp_path / name) for name in ("cut.png", "empty.jpg", "none.png")
    ]
    record = json.loads(output.with_name("answers.json").read_text())
    assert len(record["images"]) == 7
    assert len(record["unread"]) == 3
    with output.with_name("answers.csv").open() as file:
        lines = [*csv.DictReader(file)]
    assert len(lines) == 7 * 3
    first = record["images"][0]
    assert lines[0]["class"] == str(np.argmax(first["probabilities"]))
    assert float(lines[0]["probability"]) == max(first["probabilities"])
    assert first["answers"][0] == {
        "class": lines[0]["class"],
        "probability": max(first["probabilities"]),
    }
    assert f"{lines[0]['class']} {max(first['probabilities']):.1%}" in done.stdout


def answer(values, names=("young", "hat", "beard")):
    """A network of attributes with fixed probabilities."""
    metadata = serving.metadata(load("plain.plain2", multi_label=True), {})
    probabilities = np.array(values, np.float32)
    return ExportedFile(
        metadata | {"class_names": list(names)},
        lambda image: {"probabilities": np.tile(probabilities, (len(image), 1))},
    )


def test_attributes_have_a_threshold(tmp_path, capsys):
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "face.png")
    record = new_images.predict(answer([0.6, 0.1, 0.9]), [tmp_path / "face.png"])
    new_images.show(record, top=1, threshold=0.5)
    shown = capsys.readouterr().out
    assert "beard 90.0%, young 60.0%" in shown
    assert "hat" not in shown
    new_images.write(record, tmp_path / "out", top=1, threshold=0.95)
    assert json.loads((tmp_path / "out.json").read_text())["images"][0]["answers"] == []


def test_long_lists_are_cut_in_the_table_alone(tmp_path, capsys):
    for index in range(60):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / f"{index}.png")
    record = new_images.predict(answer([0.6, 0.1, 0.9]), [tmp_path])
    assert len(record["images"]) == 60
    new_images.show(record, top=1, threshold=0.5)
    assert "and 10 more in the files" in capsys.readouterr().out


def test_sources_that_are_refused(two_phases, tmp_path):
    with pytest.raises(UserError, match=r"names of exported files end in \.onnx"):
        new_images.of_file(tmp_path / "weights.pth")
    network = new_images.of_workdir(two_phases[0], "peer_0")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty has no images"):
        new_images.predict(network, [tmp_path / "empty"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.jpg"], "either --workdir=DIR or --file=FILE is needed, and not both"),
        (["--file=a.onnx", "--network=b", "c.png"], "an exported file has one network"),
        (["--workdir=none"], "images or folders are needed"),
    ],
    ids=str,
)
def test_errors_are_one_line(arguments, message, tmp_path):
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert message in line
