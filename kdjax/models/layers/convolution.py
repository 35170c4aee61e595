"""Convolutions that are fast on XLA's CPU backend; on other backends they are `lax`'s own.

XLA's CPU backend calls a library for each convolution. Two forms are faster (docs/performance.md
has the measurements): Winograd's minimal filtering for 3x3 convolutions between many channels, and
shifted multiply-adds for the first layer (few input channels) in prediction.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from kdjax.models.layers.plain import is_plain
from kdjax.step.types import Array

Padding = tuple[tuple[int, int], tuple[int, int]]

_NHWC = ("NHWC", "HWIO", "NHWC")
_FEW_CHANNELS = 4
_WINOGRAD_CHANNELS = 64
_WINOGRAD_PRODUCTS = 2**26
"""Below this number of products the gain is not worth the longer compilation."""


def convolution(x: Array, kernel: Array, strides: Any, padding: Any, **rest: Any) -> Array:
    """`lax.conv_general_dilated`, for `flax.linen.Conv`.

    Args:
        x: `[b, h, w, c]`.
        kernel: `[kh, kw, c / groups, o]`.
        strides: of height and width.
        padding: before and after height and width, or "SAME" or "VALID".
        rest: dilations, dimension numbers, groups and precision.

    Returns:
        `[b, h', w', o]`.
    """
    default = (
        rest.get("feature_group_count", 1) == 1
        and all(math.prod(rest.get(f"{side}_dilation") or (1,)) == 1 for side in ("lhs", "rhs"))
        and x.ndim == 4
        and x.dtype == kernel.dtype == jnp.float32
    )
    if not default or is_plain() or jax.default_backend() != "cpu":
        return lax.conv_general_dilated(x, kernel, strides, padding, **rest)
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    pads = tuple((int(low), int(high)) for low, high in padding)
    return _on_cpu(x, kernel, (int(strides[0]), int(strides[1])), pads)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _on_cpu(x: Array, kernel: Array, strides: tuple[int, int], padding: Padding) -> Array:
    small = kernel.shape[:2] == (3, 3) and kernel.shape[2] <= _FEW_CHANNELS
    if small and strides == (1, 1):
        # Only in prediction: under a gradient, XLA would recompute it for every reader.
        return _taps(x, kernel, padding)
    return _forward(x, kernel, strides, padding)[0]


def _forward(
    x: Array, kernel: Array, strides: tuple[int, int], padding: Padding
) -> tuple[Array, tuple[Array, Array]]:
    if _winograd_pays(x, kernel, strides, padding):
        return winograd(x, kernel), (x, kernel)
    return _direct(x, kernel, strides, padding), (x, kernel)


def _backward(
    strides: tuple[int, int], padding: Padding, saved: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    x, kernel = saved
    direct = functools.partial(_direct, strides=strides, padding=padding)
    (kernel_gradient,) = jax.linear_transpose(lambda k: direct(x, k), kernel)(gradient)
    flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    if _winograd_pays(gradient, flipped, strides, padding):
        return winograd(gradient, flipped), kernel_gradient
    (x_gradient,) = jax.linear_transpose(lambda x: direct(x, kernel), x)(gradient)
    return x_gradient, kernel_gradient


_on_cpu.defvjp(_forward, _backward)


def _direct(x: Array, kernel: Array, strides: tuple[int, int], padding: Padding) -> Array:
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=_NHWC)


def _taps(x: Array, kernel: Array, padding: Padding) -> Array:
    """The convolution as one multiply-add of the whole map per kernel position and channel."""
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    rows, columns, channels, _ = kernel.shape
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    total = jnp.zeros((), x.dtype)
    for i in range(rows):
        for j in range(columns):
            part = x[:, i : i + height, j : j + width]
            for channel in range(channels):
                total += part[..., channel, None] * kernel[None, i : i + 1, j : j + 1, channel]
    return total


def _winograd_pays(x: Array, kernel: Array, strides: tuple[int, int], padding: Padding) -> bool:
    _, height, width, channels = x.shape
    return (
        strides == (1, 1)
        and kernel.shape[:2] == (3, 3)
        and padding == ((1, 1), (1, 1))
        and height % 2 == width % 2 == 0
        and min(channels, kernel.shape[-1]) >= _WINOGRAD_CHANNELS
        and math.prod(x.shape) * kernel.shape[-1] >= _WINOGRAD_PRODUCTS
    )


def winograd(x: Array, kernel: Array) -> Array:
    """A 3x3 convolution of stride 1 and zero padding 1.

    F(2x2, 3x3) of Lavin and Gray, Fast Algorithms for Convolutional Neural Networks,
    arXiv:1509.09308, section 4.1: every 2x2 tile of the result takes 16 products instead of 36.
    In float32 its rounding error is about twice that of the direct sum.

    Args:
        x: `[b, h, w, c]`, h and w even.
        kernel: `[3, 3, c, o]`.

    Returns:
        `[b, h, w, o]`.
    """
    batch, height, width, channels = x.shape
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def corner(row: int, column: int) -> Array:
        """One value of every 4x4 tile; neighbouring tiles overlap by two."""
        last = (batch, row + height - 1, column + width - 1, channels)
        return lax.slice(x, (0, row, column, 0), last, (1, 2, 2, 1))

    def over_input(d: list[Array]) -> list[Array]:
        return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]

    def over_kernel(g: list[Array]) -> list[Array]:
        return [g[0], (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, g[2]]

    def over_result(m: list[Array]) -> list[Array]:
        return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]

    tiles = _both_ways(over_input, [[corner(i, j) for j in range(4)] for i in range(4)])
    filters = _both_ways(over_kernel, [[kernel[i, j] for j in range(3)] for i in range(3)])
    products = [
        [tiles[i][j].reshape(-1, channels) @ filters[i][j] for j in range(4)] for i in range(4)
    ]
    result = _both_ways(over_result, products)
    shape = (batch, height // 2, width // 2, kernel.shape[-1])
    rows = [jnp.stack([part.reshape(shape) for part in row], axis=3) for row in result]
    return jnp.stack(rows, axis=2).reshape(batch, height, width, -1)


def _both_ways(
    transform: Callable[[list[Array]], list[Array]], square: list[list[Array]]
) -> list[list[Array]]:
    """Transforms the columns, then the rows."""
    columns = [transform(list(column)) for column in zip(*square, strict=True)]
    return [transform(list(row)) for row in zip(*columns, strict=True)]
