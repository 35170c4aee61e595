"""ONNX files in ONNX Runtime, against the networks that they come from."""

import json
import re
from functools import partial

import jax
import numpy as np
import pytest

from kdjax.interchange import onnx_file
from kdjax.interchange.formats import onnx as onnx_format
from kdjax.models.resnet import ResNet
from kdjax.system import discover
from kdjax.system.errors import UserError
from tests.interchange.exports import CLASSES, assert_same_outputs, images, load

onnx = pytest.importorskip("onnx", reason="needs requirements/export.txt")


def exported(loaded, tmp_path, features=()):
    path = tmp_path / "network.onnx"
    path.write_bytes(onnx_format.encode(loaded, features))
    return path


def zoo():
    with pytest.raises(UserError) as error:
        discover.model("none.none")
    return re.split(", ", str(error.value).partition("There are: ")[2])


def shape_of(model):
    """An image that is small, and large enough for the model."""
    return (64, 64, 3) if model.endswith("_imagenet") else (32, 32, 3)


def test_a_file_computes_what_the_network_computes(tmp_path):
    """Maps and vectors as further outputs, two of which are one activation; other image sizes."""
    loaded = load("six_conv.student", (20, 24, 3), size=16)
    features = ("stem", "stage1_first", "stage3_last", "pooled")
    file = onnx_file.read(exported(loaded, tmp_path, features))
    assert_same_outputs(file, loaded, features)
    outputs = file.run(images(loaded, 2))
    assert outputs["stage3_last"].shape == (2, 4, 4, 128)
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1.0, rtol=1e-6)


def test_an_image_net_stem_and_attributes(tmp_path):
    """A padded max pool, and independent probabilities; the file says what it is."""
    small = partial(ResNet, small_images=False, width=4, blocks=(1, 1))
    loaded = load(small, (32, 32, 3), multi_label=True)
    path = exported(loaded, tmp_path)
    file = onnx_file.read(path)
    assert_same_outputs(file, loaded)
    outputs = file.run(images(loaded, 2))
    expected = 1.0 / (1.0 + np.exp(-outputs["logits"].astype(np.float64)))
    np.testing.assert_allclose(outputs["probabilities"], expected, rtol=1e-5)
    assert file.metadata["class_names"] == list(CLASSES)
    assert file.metadata["multi_label"] is True
    assert file.metadata["input"]["shape"] == [32, 32, 3]
    assert file.metadata["preprocessing"]["mean"] == [0.4, 0.5, 0.3]
    assert file.metadata["provenance"]["workdir"] == "runs/one"
    assert file.metadata["provenance"]["exported_with"]["jax"] == jax.__version__

    # onnxruntime-web refuses wrong shapes of inner values.
    model = onnx.load(path)
    assert not model.graph.value_info
    onnx.checker.check_model(model, full_check=True)
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(properties["class_names"]) == list(CLASSES)
    # The convolutions and pools of ONNX, not forms that are fast on a CPU.
    kinds = {node.op_type for node in model.graph.node}
    assert kinds.isdisjoint({"GatherND", "Slice", "Pad", "ScatterND"})


@pytest.mark.slow
@pytest.mark.parametrize("model", zoo())
def test_every_model_of_the_zoo(model, tmp_path):
    loaded = load(model, shape_of(model))
    assert_same_outputs(onnx_file.read(exported(loaded, tmp_path)), loaded)


@pytest.mark.slow
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_grey_images_for_a_colour_network_of_another_size(interpolation, tmp_path):
    loaded = load("plain.plain2", (12, 20, 3), size=16, interpolation=interpolation)
    loaded = loaded._replace(image_shape=(12, 20, 1))
    assert_same_outputs(onnx_file.read(exported(loaded, tmp_path)), loaded)


def test_refusals(tmp_path):
    loaded = load("plain.plain2")
    with pytest.raises(UserError, match=r"unknown feature 'stam'.*Did you mean 'stem'"):
        onnx_format.encode(loaded, ("stam",))
    headless = loaded._replace(class_names=())
    with pytest.raises(UserError, match="has no last layer: name what the file returns"):
        onnx_format.encode(headless)
    with pytest.raises(UserError, match="cannot read .*: No such file"):
        onnx_file.read(tmp_path / "none.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no file of this kind")
    with pytest.raises(UserError, match="is no ONNX file that ONNX Runtime can run"):
        onnx_file.read(damaged)
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [result])
    other = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 23)])
    (tmp_path / "other.onnx").write_bytes(other.SerializeToString())
    with pytest.raises(UserError, match="was not exported by kdjax"):
        onnx_file.read(tmp_path / "other.onnx")
