"""The adapter between Flax Linen modules and `Network`, and the layers that families share."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from kdjax.types import Array, NetState, Network, Outputs, PyTree

uniform_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Between plus and minus 1 / sqrt(fan in), PyTorch's default. It keeps the first logits small:
with He's larger weights, peers start confident in different random answers, pull each other
towards these, and lose several points."""


def network(module: nn.Module, *, image_shape: tuple[int, int, int], key_name: str) -> Network:
    """`module` as a pair of pure functions.

    Args:
        module: maps `[b, h, w, c]` and `train` to `(logits, features)`.
        image_shape: `(h, w, c)`.
        key_name: the name that keys initialisation and dropout.
    """

    def init(key: Array) -> NetState:
        variables = module.init(key, jnp.zeros((1, *image_shape), jnp.float32), train=False)
        return NetState(variables["params"], variables.get("batch_stats", {}))

    def apply(
        state: NetState, image: Array, *, train: bool, key: Array | None = None
    ) -> tuple[Outputs, PyTree]:
        variables = {"params": state.params, "batch_stats": state.batch_stats}
        result: Any
        if not train:
            result = module.apply(variables, image, train=False)
            logits, features = result
            return Outputs(logits, features), state.batch_stats
        rngs = {} if key is None else {"dropout": key}
        result = module.apply(variables, image, train=True, rngs=rngs, mutable=["batch_stats"])
        (logits, features), updated = result
        return Outputs(logits, features), updated.get("batch_stats", {})

    return Network(init, apply, key_name)


def max_pool(x: Array) -> Array:
    """Non-overlapping 2x2 max pooling, `[b, h, w, c]` to `[b, h // 2, w // 2, c]`.

    Written as reshape and max: its gradient is much cheaper than a window reduction's on a CPU.
    """
    b, h, w, c = x.shape
    x = x[:, : h // 2 * 2, : w // 2 * 2]
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def batch_norm(train: bool, **arguments: Any) -> nn.BatchNorm:
    """BatchNorm with the project's conventions: momentum 0.9, epsilon 1e-5."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, **arguments)


def global_pool(x: Array) -> Array:
    """Mean over positions, `[b, h, w, c]` to `[b, c]`."""
    return jnp.mean(x, axis=(1, 2))


def count(tree: PyTree) -> int:
    """Number of values in a pytree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
