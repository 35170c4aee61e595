"""Safetensors files: tensors by Flax paths, metadata in the header, and reading back."""

import json

import jax
import numpy as np
import pytest

from kdjax.interchange.formats import safetensors as safetensors_format
from kdjax.system.errors import UserError
from tests.interchange.exports import CLASSES, assert_same_outputs, images, load

safetensors = pytest.importorskip("safetensors", reason="needs requirements/export.txt")


def written(loaded, tmp_path):
    path = tmp_path / "network.safetensors"
    path.write_bytes(safetensors_format.encode(loaded))
    return path


def test_tensors_are_the_variables_bit_for_bit(tmp_path):
    loaded = load("plain.plain2")
    path = written(loaded, tmp_path)
    with safetensors.safe_open(path, "numpy") as file:
        names = set(file.keys())
        header = file.metadata()
        kernel = file.get_tensor("params/Conv_0/kernel")
    assert names == {
        jax.tree_util.keystr(place, simple=True, separator="/")
        for place, _ in jax.tree.leaves_with_path(loaded.state)
    }
    np.testing.assert_array_equal(kernel, loaded.state.params["Conv_0"]["kernel"])
    assert json.loads(header["class_names"]) == list(CLASSES)
    assert_same_outputs(safetensors_format.read(path), loaded, bound=1e-9)


def test_a_network_without_a_last_layer_returns_its_features(tmp_path):
    loaded = load("plain.plain2", class_names=())
    outputs = safetensors_format.read(written(loaded, tmp_path)).run(images(loaded, 2))
    assert "logits" not in outputs
    assert outputs["pooled"].shape == (2, 256)


def test_refusals(tmp_path):
    loaded = load("plain.plain2")
    with pytest.raises(UserError, match="drop --features"):
        safetensors_format.encode(loaded, ("stem",))
    other = loaded._replace(origin=loaded.origin | {"model": "plain.plain4"})
    with pytest.raises(UserError, match=r"tensor params/\S+ is .*, and the model has"):
        safetensors_format.read(written(other, tmp_path))
    own = loaded._replace(origin=loaded.origin | {"model": "mine.models.small"})
    with pytest.raises(UserError, match="a model of your own"):
        safetensors_format.read(written(own, tmp_path))
    path = tmp_path / "other.safetensors"
    safetensors.numpy.save_file({"x": np.zeros(3)}, path)
    with pytest.raises(UserError, match="was not exported by kdjax"):
        safetensors_format.read(path)
    path.write_bytes(b"damaged")
    with pytest.raises(UserError, match="is no safetensors file"):
        safetensors_format.read(path)
    with pytest.raises(UserError, match="cannot read"):
        safetensors_format.read(tmp_path / "none.safetensors")
