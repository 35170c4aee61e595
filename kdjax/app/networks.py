"""Networks as ONNX files for browsers, each with its maps as further outputs."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from kdjax.evaluation import attention_maps
from kdjax.evaluation.run_evaluation import Evaluation


def write(evaluation: Evaluation, rows: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """Writes `network-<i>.onnx` for each row of an evaluation's record.

    Returns:
        For each row its `name`, `file`, `layers` (those with a map, in order), and what the record
        says of it.
    """
    entries = []
    for place, row in enumerate(rows):
        layers = map_layers(evaluation, row)
        file = f"network-{place}.onnx"
        _export(evaluation, row, folder / file, layers)
        measures = evaluation.record["networks"][row]
        entries.append(
            {
                "name": row,
                "file": file,
                "bytes": (folder / file).stat().st_size,
                "layers": layers,
                "teacher": row == evaluation.record["teacher"],
                "final": row == measures["network"],
                "workdir": measures["workdir"],
                "accuracy": measures["accuracy"],
                "parameters": measures["cost"]["parameters"],
                "latency": measures["cost"]["latency_median"],
            }
        )
    return entries


def map_layers(evaluation: Evaluation, row: str) -> list[str]:
    """The layers of a network whose activations are maps of more than one place, in order.

    Those before an activation function are left out.
    """
    restored = evaluation.networks[row]
    image = jax.ShapeDtypeStruct((1, *restored.network.image_shape), np.float32)
    apply = functools.partial(restored.network.apply, train=False)
    features = jax.eval_shape(apply, restored.state, image)[0].features
    shapes = {name: value.shape for name, value in features.items()}
    return [
        name
        for name, shape in shapes.items()
        if len(shape) == 4 and shape[1] * shape[2] > 1 and not name.endswith("_pre")
    ]


def shown_layers(layers: Sequence[Sequence[str]]) -> list[str]:
    """The layers that the page shows first: the last ones that all networks have, or that the first
    network with any has."""
    with_maps = [names for names in layers if names]
    if not with_maps:
        return []
    return attention_maps.common(with_maps) or list(with_maps[0])[-1:]


def _export(evaluation: Evaluation, row: str, path: Path, layers: Sequence[str]) -> None:
    import jax.numpy as jnp
    import jax2onnx
    import onnx
    import importlib
    from flax import linen as nn

    from kdjax.step import preprocess

    restored = evaluation.networks[row]
    own = restored.network.preprocessing or evaluation.plan.preprocessing

    def pool(x):
        return nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))

    def f(image):
        x = preprocess.preprocess(image.astype(jnp.float32) / 255.0, own)
        out = restored.network.apply(restored.state, x, train=False)[0]
        p = jax.nn.sigmoid(out.logits) if evaluation.plan.data.attributes else jax.nn.softmax(out.logits)
        return (out.logits, p, *(out.features[name] for name in layers))

    for m in ("plain", "mnist", "six_conv"):
        mod = importlib.import_module(f"kdjax.models.{m}")
        if hasattr(mod, "max_pool"):
            mod.max_pool = pool
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        model = jax2onnx.to_onnx(f, [jax.ShapeDtypeStruct(("B", *evaluation.plan.data.image_shape), np.uint8)],
            input_names=["image"], output_names=["logits", "probabilities", *[f"{n}_nchw" for n in layers]], outputs_as_nchw=list(range(2, 2 + len(layers))))
    del model.graph.value_info[:]
    outs = list(model.graph.output)[2:]
    del model.graph.output[2:]
    for o, n in zip(outs, layers):
        model.graph.node.append(onnx.helper.make_node("Transpose", [o.name], [n], perm=[0, 2, 3, 1]))
        dims = [d.dim_value for d in o.type.tensor_type.shape.dim]
        model.graph.output.append(onnx.helper.make_tensor_value_info(n, 1, ["B", dims[2], dims[3], dims[1]]))
    onnx.save(model, str(path))
