"""int8 files: their types, size and answers."""

import numpy as np
import pytest

from kdjax.interchange import int8, onnx_file
from kdjax.interchange.formats import onnx as onnx_format
from tests.interchange.exports import images, load

onnx = pytest.importorskip("onnx", reason="needs requirements/export.txt")


@pytest.fixture(scope="module")
def files():
    loaded = load("plain.plain2", (32, 32, 3))
    exact = onnx_format.encode(loaded, ("pooled",))
    return loaded, exact, int8.quantise(exact, images(loaded, 40))


def test_weights_are_int8_per_channel_and_activations_uint8(files):
    _, _, quantised = files
    graph = onnx.load_from_string(quantised).graph
    constants = {value.name: onnx.numpy_helper.to_array(value) for value in graph.initializer}
    makers = {node.output[0]: node for node in graph.node}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert [node.op_type for node in layers] == ["Conv", "Conv", "Gemm"]
    for node in layers:
        activation, weight = (makers[name] for name in node.input[:2])
        assert activation.op_type == weight.op_type == "DequantizeLinear"
        assert constants[activation.input[2]].dtype == np.uint8
        values, scale = constants[weight.input[0]], constants[weight.input[1]]
        assert values.dtype == np.int8
        assert scale.shape == (min(values.shape[0], scale.size),)
        assert scale.size > 1
    # BatchNorm is in the convolutions, and logits are not rounded.
    assert {"BatchNormalization"}.isdisjoint(node.op_type for node in graph.node)
    assert makers[makers["logits"].input[0]].op_type == "Gemm"
    assert not graph.value_info


def test_answers_are_near_and_the_file_is_smaller(files):
    loaded, exact, quantised = files
    assert len(quantised) < 0.6 * len(exact)
    there, here = (onnx_file.from_bytes(content, "file") for content in (exact, quantised))
    image = images(loaded, 32, seed=1)
    expected, outputs = there.run(image), here.run(image)
    assert list(outputs) == list(expected) == ["logits", "probabilities", "pooled"]
    difference = np.abs(outputs["logits"] - expected["logits"]).max()
    spread = np.abs(expected["logits"]).max()
    assert 1e-4 < difference / spread < 0.1
    np.testing.assert_allclose(outputs["probabilities"].sum(axis=1), 1.0, rtol=1e-5)
    assert here.metadata == there.metadata | {"quantised": "int8"}


def test_ranges_are_those_of_the_calibration_images(files):
    """The first activation is the normalised image: 255 steps from its least to its largest."""
    loaded, exact, _ = files
    dark = images(loaded, 40) // 8
    graph = onnx.load_from_string(int8.quantise(exact, dark)).graph
    constants = {value.name: onnx.numpy_helper.to_array(value) for value in graph.initializer}
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear")
    mean, std = (np.array(x) for x in loaded.preprocessing[1:3])
    normalised = (dark / 255.0 - mean) / std
    step = (max(normalised.max(), 0.0) - normalised.min()) / 255
    assert constants[first.input[1]] == pytest.approx(step, rel=1e-4)
