"""Convolutions that are fast on XLA's CPU backend; on other backends they are `lax`'s own.

XLA's CPU backend calls a library for each convolution. Three forms are faster (docs/performance.md
has the measurements): Winograd's minimal filtering for 3x3 convolutions between many channels,
shifted multiply-adds for the first layer (few input channels) in prediction, and shifted
multiply-adds for depthwise convolutions, in prediction and for both gradients.
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
    groups = rest.get("feature_group_count", 1)
    # One group for each channel, and one output for each group.
    depthwise = groups > 1 and groups == x.shape[-1] == kernel.shape[-1]
    default = (
        (groups == 1 or depthwise)
        and all(math.prod(rest.get(f"{side}_dilation") or (1,)) == 1 for side in ("lhs", "rhs"))
        and x.ndim == 4
        and x.dtype == kernel.dtype == jnp.float32
    )
    if not default or is_plain() or jax.default_backend() != "cpu":
        return lax.conv_general_dilated(x, kernel, strides, padding, **rest)
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    pads = tuple((int(low), int(high)) for low, high in padding)
    compute = depthwise_convolution if depthwise else _on_cpu
    return compute(x, kernel, (int(strides[0]), int(strides[1])), pads)


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


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def depthwise_convolution(
    x: Array, kernel: Array, strides: tuple[int, int], padding: Padding
) -> Array:
    """A convolution that has one filter for each channel, as one multiply-add per filter position.

    XLA's library computes one group after the other. Here every operation is elementwise over whole
    maps, so that XLA fuses them and vectorises over channels.

    Args:
        x: `[b, h, w, c]`.
        kernel: `[kh, kw, 1, c]`.
        strides: of height and width.
        padding: before and after height and width.

    Returns:
        `[b, h', w', c]`.
    """
    height, width = (
        (x.shape[axis + 1] + sum(padding[axis]) - kernel.shape[axis]) // strides[axis] + 1
        for axis in (0, 1)
    )
    parts = _shifted(_pad(x, padding), kernel.shape[:2], (height, width), strides)
    filters = [
        kernel[None, row : row + 1, column]
        for row in range(kernel.shape[0])
        for column in range(kernel.shape[1])
    ]
    return sum(
        (part * filter_ for part, filter_ in zip(parts, filters, strict=True)),
        start=jnp.zeros((), x.dtype),
    )


def _depthwise_forward(
    x: Array, kernel: Array, strides: tuple[int, int], padding: Padding
) -> tuple[Array, tuple[Array, Array]]:
    return depthwise_convolution(x, kernel, strides, padding), (x, kernel)


def _depthwise_backward(
    strides: tuple[int, int], padding: Padding, saved: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    x, kernel = saved
    return (
        _depthwise_input_gradient(x.shape, kernel, strides, padding, gradient),
        _depthwise_kernel_gradient(x, kernel.shape, strides, padding, gradient),
    )


depthwise_convolution.defvjp(_depthwise_forward, _depthwise_backward)


def _depthwise_input_gradient(
    shape: tuple[int, ...],
    kernel: Array,
    strides: tuple[int, int],
    padding: Padding,
    gradient: Array,
) -> Array:
    """The convolution of the gradient, with zeros between its values, with the flipped filters."""
    sides = []
    for axis in (0, 1):
        size, stride = kernel.shape[axis], strides[axis]
        low = size - 1 - padding[axis][0]
        spread = (gradient.shape[axis + 1] - 1) * stride + 1
        # A negative number takes away what lies in the padding alone.
        sides.append((low, shape[axis + 1] + size - 1 - low - spread, stride - 1))
    zero = jnp.zeros((), gradient.dtype)
    padded = lax.pad(gradient, zero, ((0, 0, 0), *sides, (0, 0, 0)))
    return depthwise_convolution(padded, jnp.flip(kernel, (0, 1)), (1, 1), ((0, 0), (0, 0)))


def _depthwise_kernel_gradient(
    x: Array,
    shape: tuple[int, ...],
    strides: tuple[int, int],
    padding: Padding,
    gradient: Array,
) -> Array:
    """For each filter position, the sum of a shifted input times the gradient.

    The loop adds up maps of one example at a time, which stay in the processor's cache; the sums
    over height and width come last. As sums over the whole batch it is 5 to 20 times slower.
    """
    size = gradient.shape[1:3]

    def add(totals: tuple[Array, ...], example: tuple[Array, Array]) -> tuple[Any, None]:
        x, gradient = (array[None] for array in example)
        parts = _shifted(_pad(x, padding), shape[:2], size, strides)
        return tuple(
            total + part[0] * gradient[0] for total, part in zip(totals, parts, strict=True)
        ), None

    zeros = (jnp.zeros(gradient.shape[1:], gradient.dtype),) * math.prod(shape[:2])
    totals, _ = lax.scan(add, zeros, (x, gradient))
    return jnp.stack([total.sum((0, 1)) for total in totals]).reshape(shape)


def _pad(x: Array, padding: Padding) -> Array:
    sides = ((0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0))
    return lax.pad(x, jnp.zeros((), x.dtype), sides)


def _shifted(
    x: Array, kernel_size: tuple[int, ...], size: tuple[int, ...], strides: tuple[int, int]
) -> list[Array]:
    """For each filter position, the inputs `[b, h', w', c]` that it multiplies."""
    (height, width), (down, right) = size, strides
    return [
        lax.slice(
            x,
            (0, row, column, 0),
            (
                x.shape[0],
                row + (height - 1) * down + 1,
                column + (width - 1) * right + 1,
                x.shape[3],
            ),
            (1, down, right, 1),
        )
        for row in range(kernel_size[0])
        for column in range(kernel_size[1])
    ]
