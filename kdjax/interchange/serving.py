"""The function that an exported file holds: uint8 images in, logits and probabilities out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.interchange import provenance
from kdjax.models.networks import linen
from kdjax.step.preprocess import preprocess
from kdjax.step.types import Array, LoadedNetwork
from kdjax.system import discover, runtime
from kdjax.system.errors import UserError

IMAGE, LOGITS, PROBABILITIES = "image", "logits", "probabilities"
"""The names of the input and of the first outputs; further outputs have the features' names."""
HEAD = (LOGITS, PROBABILITIES)
"""The outputs of a network that has a last layer."""

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


def feature_names(loaded: LoadedNetwork) -> list[str]:
    """The names of a network's activations."""
    return [*linen.output_shapes(loaded.network, loaded.state).features]


def output_shapes(
    loaded: LoadedNetwork, features: Sequence[str] = ()
) -> dict[str, tuple[int, ...]]:
    """The shape of every output of `function` without its batch axis, in the files' order.

    Raises:
        UserError: the network has no such feature, or there is no output.
    """
    known = feature_names(loaded)
    for name in features:
        if name not in known:
            raise discover.unknown("feature", name, known)
        if name in (IMAGE, *HEAD):
            raise UserError(f"feature {name!r} has the name of an input or output; rename it")
    if not (loaded.class_names or features):
        raise UserError(
            f"network {loaded.name!r} has no last layer: name what the file returns with "
            f"--features; there are: {', '.join(known)}"
        )
    image = jax.ShapeDtypeStruct((1, *loaded.image_shape), jnp.uint8)
    shapes = jax.eval_shape(function(loaded, features), image)
    # `eval_shape` returns keys in alphabetical order.
    order = [*(name for name in HEAD if name in shapes), *features]
    return {name: shapes[name].shape[1:] for name in dict.fromkeys(order)}


def metadata(loaded: LoadedNetwork, outputs: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """What an exported file says about itself, as JSON holds it.

    Args:
        loaded: the network.
        outputs: the shapes of the file's outputs, of `output_shapes`; none for a file of weights.
    """
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
        # A file that is a function computes it inside; here people can read it.
        "preprocessing": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in loaded.preprocessing._asdict().items()
        },
        "outputs": {name: list(shape) for name, shape in outputs.items()},
        "features": [name for name in outputs if name not in HEAD],
        "quantised": "",
        "provenance": provenance.of(loaded),
    }
