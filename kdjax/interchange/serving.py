"""The function that an exported file holds: uint8 images in, logits and probabilities out."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.interchange import provenance
from kdjax.step.preprocess import preprocess
from kdjax.step.types import Array, LoadedNetwork
from kdjax.system import discover, runtime
from kdjax.system.errors import UserError

IMAGE, LOGITS, PROBABILITIES = "image", "logits", "probabilities"
"""The names of the input and of the first outputs; further outputs have the features' names."""

Serve = Callable[[Any], dict[str, Array]]


class ExportedFile(NamedTuple):
    """A file that was exported, ready to run."""

    metadata: dict[str, Any]
    """`metadata` of the exported network."""
    run: Callable[[np.ndarray], Mapping[str, Any]]
    """`run(image)`: uint8 `[b, h, w, c]` to arrays by the outputs' names; b is any number."""


def function(loaded: LoadedNetwork, features: Sequence[str] = ()) -> Serve:
    """A network with its preprocessing, from uint8 images to outputs by name.

    Returns:
        A function of images `[b, h, w, c]`, for `jax.jit`. Its results are `logits` and
        `probabilities` `[b, k]` (softmax, or for attributes the sigmoid of each), where the network
        has a last layer, and the `features`. Each call of `function` returns a new function, which
        JAX traces anew, so that `plain_lax` has an effect.
    """

    def serve(image: Array) -> dict[str, Array]:
        scaled = image.astype(jnp.float32) / 255.0
        outputs, _ = loaded.network.apply(
            loaded.state, preprocess(scaled, loaded.preprocessing), train=False
        )
        results = {}
        if loaded.class_names:
            to_probabilities = jax.nn.sigmoid if loaded.multi_label else jax.nn.softmax
            results[LOGITS] = outputs.logits
            results[PROBABILITIES] = to_probabilities(outputs.logits)
        return results | {name: outputs.features[name] for name in features}

    return serve


def compiled(loaded: LoadedNetwork, features: Sequence[str] = ()) -> Serve:
    """`function` as this process runs it: compiled, with the layers' forms for this backend."""
    return jax.jit(function(loaded, features), compiler_options=runtime.compiler_options())


def output_shapes(
    loaded: LoadedNetwork, features: Sequence[str] = ()
) -> dict[str, tuple[int, ...]]:
    """The shape of every output without its batch axis, by name.

    Raises:
        UserError: the network has no such feature, or its file would have no output.
    """
    image = jax.ShapeDtypeStruct((1, *loaded.image_shape), jnp.uint8)
    read = jax.ShapeDtypeStruct((1, *loaded.network.image_shape), jnp.float32)
    apply = functools.partial(loaded.network.apply, train=False)
    known = jax.eval_shape(apply, loaded.state, read)[0].features
    for name in features:
        if name not in known:
            raise discover.unknown("feature", name, known)
        if name in (IMAGE, LOGITS, PROBABILITIES):
            raise UserError(f"feature {name!r} has the name of an input or output; rename it")
    if not (loaded.class_names or features):
        raise UserError(
            f"network {loaded.name!r} has no last layer: name what the file returns with "
            f"--features; there are: {', '.join(known)}"
        )
    shapes = jax.eval_shape(function(loaded, features), image)
    # `eval_shape` returns keys in alphabetical order.
    order = [*(name for name in (LOGITS, PROBABILITIES) if name in shapes), *features]
    return {name: shapes[name].shape[1:] for name in dict.fromkeys(order)}


def metadata(loaded: LoadedNetwork, features: Sequence[str] = ()) -> dict[str, Any]:
    """What an exported file says about itself, as JSON holds it."""
    return {
        "network": loaded.name,
        "class_names": list(loaded.class_names),
        "multi_label": loaded.multi_label,
        "input": {
            "name": IMAGE,
            "dtype": "uint8",
            "layout": "batch, height, width, channel",
            "shape": list(loaded.image_shape),
            "crop": loaded.crop,
        },
        # Computed inside the file; here to be read.
        "preprocessing": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in loaded.preprocessing._asdict().items()
        },
        "outputs": {k: list(shape) for k, shape in output_shapes(loaded, features).items()},
        "features": list(features),
        "quantised": "",
        "provenance": provenance.of(loaded),
    }
