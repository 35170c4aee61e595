"""The adapter between Flax Linen modules and `Network`, and the layers that families share."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from kdjax.convolution import convolution
from kdjax.errors import UserError
from kdjax.types import Array, NetState, Network, Outputs, PyTree

uniform_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Between plus and minus 1 / sqrt(fan in), PyTorch's default. It keeps the first logits small:
with He's larger weights, peers start confident in different random answers, pull each other
towards these, and lose several points."""


Conv = functools.partial(nn.Conv, conv_general_dilated=convolution)
"""`flax.linen.Conv`, computed as this backend does it fastest."""


def network(
    module: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    key_name: str,
    precision: str = "float32",
    remat: bool = False,
) -> Network:
    """`module` as a pair of pure functions.

    Args:
        module: maps `[b, h, w, c]` and `train` to `(logits, features)`.
        image_shape: `(h, w, c)`.
        key_name: the name that keys initialisation and dropout.
        precision: what it computes in, "float32" or "bfloat16". Parameters, statistics and all that
            it puts out are float32 either way.
        remat: computes activations again for the gradient in place of keeping them: block by block
            where the module has a field `remat`, else all of the network's.
    """
    in_blocks = remat and "remat" in {field.name for field in dataclasses.fields(module)}
    if in_blocks:
        module = module.clone(remat=True)

    def init(key: Array) -> NetState:
        variables = module.init(key, jnp.zeros((1, *image_shape), jnp.float32), train=False)
        return NetState(variables["params"], variables.get("batch_stats", {}))

    def predict(params: PyTree, stats: PyTree, image: Array) -> tuple[Outputs, PyTree]:
        variables = {"params": params, "batch_stats": stats}
        result: Any = module.apply(variables, image, train=False)
        return _outputs(result), stats

    def learn(
        params: PyTree, stats: PyTree, image: Array, key: Array | None
    ) -> tuple[Outputs, PyTree]:
        variables = {"params": params, "batch_stats": stats}
        rngs = {} if key is None else {"dropout": key}
        result: Any
        result = module.apply(variables, image, train=True, rngs=rngs, mutable=["batch_stats"])
        (logits, features), updated = result
        return Outputs(logits, features), updated.get("batch_stats", {})

    if remat and not in_blocks:
        learn = jax.checkpoint(learn)

    def apply(
        state: NetState, image: Array, *, train: bool, key: Array | None = None
    ) -> tuple[Outputs, PyTree]:
        params, stats = state
        if precision == "float32":
            return learn(params, stats, image, key) if train else predict(params, stats, image)
        low, image = jax.tree.map(lambda x: x.astype(precision), (params, image))
        # BatchNorm computes statistics in float32 and returns what it was given.
        with jax.numpy_dtype_promotion("standard"):
            made, stats = learn(low, stats, image, key) if train else predict(low, stats, image)
        return jax.tree.map(lambda x: x.astype(jnp.float32), made), stats

    return Network(init, apply, key_name)


def _outputs(result: Any) -> Outputs:
    """What a module returned.

    Raises:
        UserError: it is no pair of logits and named features.
    """
    match result:
        case (jax.Array() as logits, dict() as features):
            return Outputs(logits, features)
    what = "an array" if isinstance(result, jax.Array) else type(result).__name__
    raise UserError(
        f"the model returns {what}; it must return (logits, features): an array "
        "[b, k] and a dict of named activations"
    )


@jax.custom_vjp
def max_pool(x: Array) -> Array:
    """Non-overlapping 2x2 max pooling, `[b, h, w, c]` to `[b, h // 2, w // 2, c]`.

    Equal maxima share the gradient. Written for the CPU, where a window reduction's gradient is
    slow, and where a reduction in prediction keeps convolutions from the faster library.
    """
    h, w = (size // 2 * 2 for size in x.shape[1:3])
    first, second, third, fourth = (x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1))
    return jnp.maximum(jnp.maximum(first, second), jnp.maximum(third, fourth))


def _max_of_window(x: Array) -> Array:
    b, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


max_pool.defvjp(lambda x: jax.vjp(_max_of_window, x), lambda pull, ahead: pull(ahead))


def batch_norm(train: bool, **arguments: Any) -> nn.BatchNorm:
    """BatchNorm with the project's conventions: momentum 0.9, epsilon 1e-5."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, **arguments)


def global_pool(x: Array) -> Array:
    """Mean over positions, `[b, h, w, c]` to `[b, c]`."""
    return jnp.mean(x, axis=(1, 2))


def count(tree: PyTree) -> int:
    """Number of values in a pytree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
