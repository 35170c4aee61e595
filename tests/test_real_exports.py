"""Exports of networks of real images, for which --real_data names a folder: every format, int8."""

import jax
import numpy as np
import pytest

from configs import ce
from kdjax.data.tfds import writer
from kdjax.evaluation import exported
from kdjax.evaluation.exported import Options
from kdjax.training import train

pytest.importorskip("onnxruntime", reason="needs requirements/export.txt")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_device")]


def trained(config, directory):
    """The workdir of a student after a short training."""
    config.epochs = 1
    config.tensorboard = False
    with jax.numpy_dtype_promotion("standard"):
        train.run(config, directory)
    return directory


def rows(directory, tmp_path, **changes):
    """The rows of the network and of its files, printed as well, for the record."""
    chosen = Options(workdir=directory, output=tmp_path / "file", teacher="", timing=True)
    record = exported.export(chosen._replace(**changes))
    exported.show(record)
    return record["images"]["count"], record["rows"]


def assert_exact(directory, tmp_path, count):
    """All formats give the network's predictions on all test images."""
    for name in ("onnx", "stablehlo", "safetensors"):
        seen, (network, file) = rows(directory, tmp_path, format=name)
        assert seen == count
        assert file["equal_predictions"] == 1.0
        assert file["largest_difference"] < 1e-4
        assert file["accuracy"] == network["accuracy"]


@pytest.mark.parametrize("model", ["mnist.student", "cifar_resnet.resnet8"])
def test_mnist(model, real_data, tmp_path):
    writer.prepare("mnist", manual_dir=real_data("mnist"), data_dir=str(tmp_path))
    config = ce.get_config("mnist")
    config.data.data_dir = str(tmp_path)
    config.networks.student.model = model
    directory = trained(config, tmp_path / "run")
    assert_exact(directory, tmp_path, 10_000)
    _, (network, exact, quantised) = rows(directory, tmp_path, int8=True)
    assert exact["accuracy"] > 0.9
    assert quantised["accuracy"] > network["accuracy"] - 0.003
    assert quantised["kilobytes"] < 0.45 * exact["kilobytes"]


def test_celeb_a(real_data, tmp_path):
    config = ce.get_config("celeb_a")
    config.data.path, config.data.data_dir = real_data("celeb_a"), str(tmp_path)
    directory = trained(config, tmp_path / "run")
    assert_exact(directory, tmp_path, 500)
    _, (network, _, quantised) = rows(directory, tmp_path, int8=True)
    assert quantised["accuracy"] > network["accuracy"] - 0.003
    assert np.isfinite(quantised["largest_difference"])
