"""Safetensors files: a network's variables by their Flax paths, with metadata in the header.

The file holds numbers alone. Reading it back needs this project, which has the model's code.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.interchange import serving
from kdjax.interchange.serving import ExportedFile
from kdjax.models.networks import linen
from kdjax.step.types import LoadedNetwork, NetState, Preprocessing
from kdjax.system import discover, packages
from kdjax.system.errors import UserError

SUFFIX = ".safetensors"
PACKAGES = ("safetensors",)
RUNS_IN = "read back"


def encode(loaded: LoadedNetwork, features: Sequence[str] = ()) -> bytes:
    """The bytes of a file with tensors such as `params/Conv_0/kernel`, as Flax lays them out."""
    from safetensors import numpy

    if features:
        raise UserError("a safetensors file holds weights and returns nothing: drop --features")
    leaves = jax.tree_util.tree_leaves_with_path(loaded.state)
    tensors = {_name(path): np.ascontiguousarray(leaf) for path, leaf in leaves}
    metadata = serving.metadata(loaded, {})
    return numpy.save(tensors, {key: json.dumps(value) for key, value in metadata.items()})


def read(path: Path) -> ExportedFile:
    """The network of a file, built anew by its model's name; without a last layer, its features.

    Raises:
        UserError: there is no such file, it is damaged, or kdjax has not exported it.
    """
    packages.require(PACKAGES, "a safetensors file")
    import safetensors

    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    except (safetensors.SafetensorError, ValueError) as error:
        raise UserError(f"{path} is no safetensors file of kdjax's: {error}") from error
    if "preprocessing" not in metadata:
        raise UserError(f"{path} was not exported by kdjax: its header has no preprocessing")
    loaded = _rebuild(metadata, tensors, path)
    features = () if loaded.class_names else serving.feature_names(loaded)
    return ExportedFile(metadata, serving.compiled(loaded, features))


def _rebuild(metadata: dict[str, Any], tensors: dict[str, np.ndarray], path: Path) -> LoadedNetwork:
    try:
        values = metadata["preprocessing"]
        preprocessing = Preprocessing(
            values["size"], tuple(values["mean"]), tuple(values["std"]), values["interpolation"]
        )
        name, classes = metadata["provenance"]["model"], len(metadata["class_names"])
        network_name, precision = metadata["network"], metadata["provenance"]["precision"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged: its header lacks {error}") from error
    if discover.is_own(name):
        # A file from elsewhere may not choose which module is imported.
        raise UserError(
            f"{path} is of {name}, a model of your own: predict from its --workdir, or export onnx"
        )
    network = linen.network(
        discover.model(name)(classes=classes, dropout=0.0),
        image_shape=(preprocessing.size, preprocessing.size, len(preprocessing.mean)),
        key_name=network_name,
        precision=precision,
    )
    like = jax.eval_shape(network.init, jax.random.key(0))

    def tensor(place: Any, leaf: jax.ShapeDtypeStruct) -> Any:
        name = _name(place)
        if name not in tensors or tensors[name].shape != leaf.shape:
            shape = tensors[name].shape if name in tensors else "absent"
            raise UserError(f"{path}: tensor {name} is {shape}, and the model has {leaf.shape}")
        return jnp.asarray(tensors[name])

    state: NetState = jax.tree_util.tree_map_with_path(tensor, like)
    return LoadedNetwork(
        name=metadata["network"],
        network=network,
        state=state,
        preprocessing=preprocessing,
        image_shape=tuple(metadata["input"]["shape"]),
        crop=metadata["input"]["crop"],
        class_names=tuple(metadata["class_names"]),
        multi_label=metadata["multi_label"],
        origin=metadata["provenance"],
    )


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
