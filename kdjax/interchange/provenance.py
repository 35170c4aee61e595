"""Where an exported network comes from."""

import json
from importlib import metadata
from typing import Any

import kdjax
from kdjax.step.types import LoadedNetwork

_PACKAGES = ("jax", "jaxlib", "flax", "jax2onnx", "onnx", "onnxruntime", "safetensors")


def of(loaded: LoadedNetwork) -> dict[str, Any]:
    """The network's origin (run, stage, step, commit, versions, scores), and the versions that
    export it."""
    exported_with = {"kdjax": kdjax.__version__}
    for name in _PACKAGES:
        try:
            exported_with[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return json.loads(json.dumps({**loaded.origin, "exported_with": exported_with}))
