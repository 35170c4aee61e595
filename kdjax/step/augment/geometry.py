"""Crops, flips and cutout of one image `[h, w, c]`, each from a key of its own."""

import jax
import jax.numpy as jnp

from kdjax.step.types import Array


def resized_crop(
    image: Array, key: Array, *, scale: tuple[float, float], ratio: tuple[float, float]
) -> Array:
    """A random box of the image, resampled to the image's own size.

    The box's share of the area is uniform, its aspect ratio log-uniform, its place uniform; none of
    them is rounded to pixels. A side longer than the image's is cut to the image's, the other side
    kept, so that such a box has less than the share that was drawn.

    Args:
        image: `[h, w, c]`.
        key: of this transform.
        scale: least and largest share of the area, in (0, 1].
        ratio: least and largest width over height, in pixels.

    References:
        Szegedy et al., Going Deeper with Convolutions, arXiv:1409.4842, section 6.
    """
    share_key, ratio_key, corner_key = jax.random.split(key, 3)
    height, width = image.shape[:2]
    size = jnp.asarray((height, width), jnp.float32)
    area = height * width * jax.random.uniform(share_key, minval=scale[0], maxval=scale[1])
    aspect = ratio[0] * (ratio[1] / ratio[0]) ** jax.random.uniform(ratio_key)
    sides = jnp.minimum(jnp.sqrt(jnp.stack((area / aspect, area * aspect))), size)
    corner = jax.random.uniform(corner_key, (2,)) * (size - sides)
    return resample(image, corner, sides)


def resample(image: Array, corner: Array, sides: Array) -> Array:
    """The box of an image, stretched to the image's own size.

    Bilinear, antialiased along a side that shrinks. Pixels outside the box but in the image count
    where a weight reaches them, as in Pillow's `resize(box=)`.

    Args:
        image: `[h, w, c]`.
        corner: `[2]`, row and column of the box's upper left corner.
        sides: `[2]`, its height and width in pixels.
    """
    factor = jnp.asarray(image.shape[:2], jnp.float32) / sides
    return jax.image.scale_and_translate(
        image, image.shape, (0, 1), factor, -corner * factor, "linear", antialias=True
    )


def shift(image: Array, key: Array, *, pad: int, mode: str) -> Array:
    """Pads every border, then crops the image's own size at a uniform place.

    Args:
        image: `[h, w, c]`.
        key: of this transform.
        pad: pixels on each border, which is the largest shift.
        mode: `zeros` or `reflect`; a reflection does not repeat the border itself.
    """
    numpy_mode = "constant" if mode == "zeros" else mode
    padded = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)), numpy_mode)
    row, column = jax.random.randint(key, (2,), 0, 2 * pad + 1)
    return jax.lax.dynamic_slice(padded, (row, column, jnp.int32(0)), image.shape)


def flip(image: Array, key: Array, *, axis: int) -> Array:
    """Mirrors with probability one half: left and right on axis 1, up and down on axis 0."""
    return jnp.where(jax.random.bernoulli(key), jnp.flip(image, axis), image)


def cutout(image: Array, key: Array, *, side: int, fill: tuple[float, ...]) -> Array:
    """Fills one square whose centre is uniform over the pixels.

    Args:
        image: `[h, w, c]`.
        key: of this transform.
        side: in pixels, before the border clips the square.
        fill: of each channel.

    References:
        DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout,
        arXiv:1708.04552, section 3.
    """
    size = image.shape[:2]
    square = window(size, pixel(key, size), jnp.asarray((side, side)))
    return jnp.where(square[..., None], jnp.asarray(fill, image.dtype)[None, None], image)


def pixel(key: Array, size: tuple[int, ...]) -> Array:
    """A uniform row and column, `[2]` int32, of an image of `size` `(h, w)`."""
    return jax.random.randint(key, (2,), 0, jnp.asarray(size))


def window(size: tuple[int, ...], centre: Array, sides: Array) -> Array:
    """A box as `[h, w]` bool, clipped at the border.

    Args:
        size: `(h, w)` of the image.
        centre: `[2]` int32, row and column; an even side reaches one pixel further before it than
            after it.
        sides: `[2]` int32, height and width in pixels.
    """

    def along(axis: int) -> Array:
        offset = jnp.arange(size[axis]) - centre[axis] + sides[axis] // 2
        return (offset >= 0) & (offset < sides[axis])

    return along(0)[:, None] & along(1)[None]
