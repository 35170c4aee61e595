"""The adapter between Flax Linen modules and `Network`, and the layers that families share."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from kdjax.models.convolution import convolution
from kdjax.step.types import Array, NetState, Network, Outputs, PyTree

uniform_init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
"""Between plus and minus 1 / sqrt(fan in), PyTorch's default. It keeps the first logits small:
with He's larger weights, peers start confident in different random answers, pull each other
towards these, and lose several points."""


Conv = functools.partial(nn.Conv, conv_general_dilated=convolution)
"""`flax.linen.Conv`, computed as this backend does it fastest."""


class _BiasWithoutGradient(nn.Module):
    """A layer right ahead of BatchNorm, which subtracts the layer's bias again.

    The true gradient of such a bias is 0. What is computed for it is rounding noise, which AdamW
    would turn into whole steps. So the bias gets no gradient: it stays where it starts, at 0, and
    weight decay of 0 is 0 too.
    """

    @nn.nowrap
    def param(self, name: str, *arguments: Any, **options: Any) -> Any:
        value = super().param(name, *arguments, **options)
        return jax.lax.stop_gradient(value) if name == "bias" else value


class _ConvBeforeNorm(_BiasWithoutGradient, nn.Conv):
    pass


class DenseBeforeNorm(_BiasWithoutGradient, nn.Dense):
    """A dense layer with a bias, right ahead of BatchNorm: `_BiasWithoutGradient`."""


ConvBeforeNorm = functools.partial(_ConvBeforeNorm, conv_general_dilated=convolution)
"""A convolution with a bias, right ahead of BatchNorm: `_BiasWithoutGradient`."""


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
        outputs, updated = result
        return _outputs(outputs), updated.get("batch_stats", {})

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
    """What a module returns.

    Raises:
        TypeError: it is not `(logits, features)`.
    """
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)):
        what = "an array" if hasattr(result, "shape") else type(result).__name__
        raise TypeError(f"it returns {what}, not (logits, features) with features a dict")
    return Outputs(*result)


@jax.custom_vjp
def max_pool(x: Array) -> Array:
    """Non-overlapping 2x2 max pooling, `[b, h, w, c]` to `[b, h // 2, w // 2, c]`.

    The gradient goes to the first of equal maxima, as in PyTorch and in `flax.linen.max_pool`,
    whose gradient is slow on a CPU.

    The backward pass must not look for the maximum with `x == max(x)`: a compiler may compute `x`
    anew on one side of the comparison, round it differently there, and find no maximum at all. The
    window's gradient is then 0, in silence. Here the forward pass compares by order, so that
    exactly one place is chosen however the values round, and keeps the choice.
    """
    return _pool_and_places(x)[0]


def _pool_and_places(x: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """The maxima, and of each window: whether its maximum is in the upper row, and whether each
    row's maximum is its left value."""
    h, w = (size // 2 * 2 for size in x.shape[1:3])
    upper_left, upper_right, lower_left, lower_right = (
        x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)
    )
    upper, lower = jnp.maximum(upper_left, upper_right), jnp.maximum(lower_left, lower_right)
    places = (upper >= lower, upper_left >= upper_right, lower_left >= lower_right)
    return jnp.maximum(upper, lower), places


def _pool_forward(x: Array) -> tuple[Array, tuple[Any, ...]]:
    pooled, places = _pool_and_places(x)
    return pooled, (*places, x.shape)


def _pool_backward(kept: tuple[Any, ...], gradient: Array) -> tuple[Array]:
    in_upper, upper_is_left, lower_is_left, (b, h, w, c) = kept
    zero = jnp.zeros((), gradient.dtype)

    def row(chosen: Array, is_left: Array) -> Array:
        """The gradient of one row of every window, `[b, h // 2, w // 2, 2, c]`."""
        left = jnp.where(chosen & is_left, gradient, zero)
        right = jnp.where(chosen & ~is_left, gradient, zero)
        return jnp.stack([left, right], axis=3)

    rows = [row(in_upper, upper_is_left), row(~in_upper, lower_is_left)]
    of_windows = jnp.stack(rows, axis=2).reshape(b, h // 2 * 2, w // 2 * 2, c)
    return (jnp.pad(of_windows, ((0, 0), (0, h % 2), (0, w % 2), (0, 0))),)


max_pool.defvjp(_pool_forward, _pool_backward)


def batch_norm(train: bool, **arguments: Any) -> nn.BatchNorm:
    """BatchNorm with the project's conventions: momentum 0.9, epsilon 1e-5.

    The variance is `E[(x - E[x])^2]`, in two passes over `x`. Flax's default, `E[x^2] - E[x]^2`,
    loses digits where the mean is large: in float32, with deviation 1, the variance's relative
    error is 3e-3 at mean 100 and 0.4 at mean 1000.
    """
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        use_fast_variance=False,
        **arguments,
    )


def global_pool(x: Array) -> Array:
    """Mean over positions, `[b, h, w, c]` to `[b, c]`."""
    return jnp.mean(x, axis=(1, 2))


def count(tree: PyTree) -> int:
    """Number of values in a pytree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
