"""ONNX files, by jax2onnx.

Three repairs of what jax2onnx 0.17.1 writes: its `value_info` is wrong, and onnxruntime-web refuses
it; an output that is a map has its axes in another order than the file says, unless it is asked for
as `[b, c, h, w]`; and a max pool with padding has a window for the batch too.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from kdjax.interchange import serving
from kdjax.interchange.serving import IMAGE, ExportedFile
from kdjax.models.layers.plain import plain_lax
from kdjax.step.types import LoadedNetwork

SUFFIX = ".onnx"
PACKAGES = ("onnx", "onnxruntime", "onnx_ir", "equinox", "jax2onnx")
RUNS_IN = "ONNX Runtime"
_INNER = "v/"
"""Ahead of all inner names, so that no feature has the name of an inner value."""
_TO_NHWC, _TO_NCHW = (0, 2, 3, 1), (0, 3, 1, 2)


def encode(loaded: LoadedNetwork, features: Sequence[str] = ()) -> bytes:
    """The bytes of an ONNX file, with any number of images in a batch."""
    outputs = serving.output_shapes(loaded, features)
    return with_metadata(_model(loaded, outputs), serving.metadata(loaded, outputs))


def _model(loaded: LoadedNetwork, shapes: Mapping[str, tuple[int, ...]]) -> Any:
    """A network as an `onnx.ModelProto` with the outputs of `shapes`."""
    import jax2onnx
    import onnx
    from onnx import helper

    serve = serving.function(loaded, [name for name in shapes if name not in serving.HEAD])

    def in_order(image: Any) -> list[Any]:
        results = serve(image)
        return [results[name] for name in shapes]

    image = jax.ShapeDtypeStruct(("b", *loaded.image_shape), jnp.uint8)
    maps = [place for place, shape in enumerate(shapes.values()) if len(shape) == 3]
    with plain_lax(), _quiet(), _lenient():
        converted = jax2onnx.to_onnx(
            in_order, inputs=[image], model_name=loaded.name, outputs_as_nchw=maps
        )
    converted = onnx.compose.add_prefix(converted, _INNER)
    graph = converted.graph
    del graph.value_info[:]
    nodes = [helper.make_node("Identity", [IMAGE], [graph.input[0].name])]
    nodes += _two_axis_windows(list(graph.node))
    results = [output.name for output in graph.output]
    for place, (inner, outer) in enumerate(zip(results, shapes, strict=True)):
        if place in maps:
            nodes.append(helper.make_node("Transpose", [inner], [outer], perm=_TO_NHWC))
        else:
            nodes.append(helper.make_node("Identity", [inner], [outer]))
    for field in (graph.input, graph.output, graph.node):
        del field[:]
    graph.node.extend(nodes)
    graph.input.append(
        helper.make_tensor_value_info(IMAGE, onnx.TensorProto.UINT8, ["b", *loaded.image_shape])
    )
    graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["b", *shape])
        for name, shape in shapes.items()
    )
    onnx.checker.check_model(converted, full_check=True)
    return converted


def with_metadata(model: Any, metadata: dict[str, Any]) -> bytes:
    """The bytes of a model whose `metadata_props` hold every value as JSON, by its key."""
    from onnx import helper

    helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    return model.SerializeToString()


def read(path: Path) -> ExportedFile:
    """An ONNX file in ONNX Runtime."""
    from kdjax.interchange import onnx_file

    return onnx_file.read(path)


def _two_axis_windows(nodes: Sequence[Any]) -> list[Any]:
    """Nodes in which a max pool over `[1, 1, b, h, w, c]` is one over `[b, c, h, w]`."""
    from onnx import helper

    maker = {name: node for node in nodes for name in node.output}
    reader = {name: node for node in nodes for name in node.input}
    replaced: dict[int, list[Any]] = {}
    for node in nodes:
        values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type != "MaxPool" or len(values["kernel_shape"]) != 4:
            continue
        second = maker[node.input[0]]
        first, squeeze = maker[second.input[0]], reader[node.output[0]]
        source, result = first.input[0], squeeze.output[0]
        pads = values.get("pads", [0] * 8)
        two_axes = {
            "kernel_shape": values["kernel_shape"][1:3],
            "strides": values["strides"][1:3],
            "pads": [*pads[1:3], *pads[5:7]],
        }
        before, after = f"{result}/before", f"{result}/after"
        replaced |= {id(other): [] for other in (first, second, squeeze)}
        replaced[id(node)] = [
            helper.make_node("Transpose", [source], [before], perm=_TO_NCHW),
            helper.make_node("MaxPool", [before], [after], **two_axes),
            helper.make_node("Transpose", [after], [result], perm=_TO_NHWC),
        ]
    return [part for node in nodes for part in replaced.get(id(node), [node])]


@contextmanager
def _lenient() -> Iterator[None]:
    """JAX's standard promotion of types and ranks, which jax2onnx's own functions rely on."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings of onnx_ir about the `value_info` that is taken out."""
    logger = logging.getLogger("onnx_ir")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
