"""Max pooling; without overlap, with a fast and exact gradient."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from kdjax.models.layers.plain import is_plain
from kdjax.step.types import Array


def max_pool(x: Array) -> Array:
    """Non-overlapping 2x2 max pooling, `[b, h, w, c]` to `[b, h // 2, w // 2, c]`."""
    return window_max(x, size=2, stride=2) if is_plain() else _by_slices(x)


def window_max(x: Array, *, size: int, stride: int, padding: int = 0) -> Array:
    """The maxima of windows, `[b, h, w, c]` to `[b, h', w', c]`.

    jax2onnx replaces Flax's function by one that takes keywords alone and ignores such padding.

    Args:
        x: float32 `[b, h, w, c]`.
        size: height and width of a window.
        stride: the distance of windows.
        padding: rows and columns of minus infinity on every side.
    """
    if not padding:
        return nn.max_pool(x, window_shape=(size, size), strides=(stride, stride))
    pads = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    window, strides = (1, size, size, 1), (1, stride, stride, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, pads)


@jax.custom_vjp
def _by_slices(x: Array) -> Array:
    """Max pooling as a comparison of strided slices.

    The gradient goes to the first of equal maxima, as in PyTorch and in `flax.linen.max_pool`,
    whose gradient is slow on a CPU.

    The backward pass must not search the maximum with `x == max(x)`: a compiler may recompute `x`
    on one side of the comparison and round it differently, and then no value equals the maximum
    and the window's gradient is silently 0. Here the forward pass compares by order, which chooses
    exactly one value however the values round, and the backward pass reads that choice.
    """
    return _pool_and_choices(x)[0]


def _pool_and_choices(x: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """The maxima, and three choices for every window: whether the maximum is in the upper row, and
    for each row whether its maximum is the left value."""
    h, w = (size // 2 * 2 for size in x.shape[1:3])
    upper_left, upper_right, lower_left, lower_right = (
        x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)
    )
    upper, lower = jnp.maximum(upper_left, upper_right), jnp.maximum(lower_left, lower_right)
    choices = (upper >= lower, upper_left >= upper_right, lower_left >= lower_right)
    return jnp.maximum(upper, lower), choices


_Saved = tuple[Array, Array, Array, tuple[int, ...]]
"""The three choices and the shape of `x`."""


def _pool_forward(x: Array) -> tuple[Array, _Saved]:
    pooled, choices = _pool_and_choices(x)
    return pooled, (*choices, x.shape)


def _pool_backward(saved: _Saved, gradient: Array) -> tuple[Array]:
    in_upper, upper_is_left, lower_is_left, (b, h, w, c) = saved
    zero = jnp.zeros((), gradient.dtype)

    def row(chosen: Array, is_left: Array) -> Array:
        """The gradient of one row of every window, `[b, h // 2, w // 2, 2, c]`."""
        left = jnp.where(chosen & is_left, gradient, zero)
        right = jnp.where(chosen & ~is_left, gradient, zero)
        return jnp.stack([left, right], axis=3)

    rows = [row(in_upper, upper_is_left), row(~in_upper, lower_is_left)]
    windows = jnp.stack(rows, axis=2).reshape(b, h // 2 * 2, w // 2 * 2, c)
    return (jnp.pad(windows, ((0, 0), (0, h % 2), (0, w % 2), (0, 0))),)


_by_slices.defvjp(_pool_forward, _pool_backward)
