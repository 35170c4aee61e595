"""Decoding and resizing."""

import functools
import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kdjax.system.errors import UserError

MODES = {1: "L", 3: "RGB"}
"""Pillow's mode for each number of channels."""


def require_room(shape: tuple[int, ...], free: int, where: str) -> None:
    """Makes sure that decoded images fit.

    Args:
        shape: `(n, h, w, c)` of all images, uint8.
        free: bytes that there are for them.
        where: they are to be, for the message.

    Raises:
        UserError: they do not.
    """
    count, h, w, c = shape
    if (needed := count * h * w * c) > free:
        raise UserError(
            f"config.data.size is {h}: {count:,} images of {h} x {w} x {c} take "
            f"{needed / 1e9:,.1f} GB decoded, and {where} has {free / 1e9:,.1f} GB; choose a "
            "smaller size"
        )


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """`[h, w, c]` uint8 to `[size, size, c]`, bilinear, antialiased where it shrinks."""
    if image.shape[:2] == (size, size):
        return image
    planes = [
        np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def centre(image: np.ndarray) -> np.ndarray:
    """The largest square in the middle of `[h, w, c]`."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


@functools.cache
def suffixes() -> frozenset[str]:
    """Of the files that Pillow reads, with their dots, in lower case."""
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN)


def is_image(content: bytes) -> bool:
    """Whether a file's bytes begin as those of an image, whole or damaged."""
    try:
        Image.open(io.BytesIO(content)).close()
    except UnidentifiedImageError:
        return False
    except Exception:  # Pillow's decoders raise many kinds.
        return True
    return True


def decode(content: bytes | np.ndarray, *, size: int, channels: int, crop: bool) -> np.ndarray:
    """An encoded image as `[size, size, channels]` uint8, converted to grey or colour as needed.

    It is turned as its EXIF data says, and 16-bit grey values are scaled to 8 bits.

    Args:
        content: the file's bytes, in any format that Pillow reads; or grey pixels, `[h, w]` uint8.
        size: height and width.
        channels: 1 or 3.
        crop: cut the square centre out first; else what is not square is squeezed.

    Raises:
        ValueError: it is no image, or a damaged one; says which.
    """
    try:
        with (
            Image.open(io.BytesIO(content))
            if isinstance(content, bytes)
            else Image.fromarray(content)
        ) as image:
            array = np.asarray(_eight_bits(ImageOps.exif_transpose(image)).convert(MODES[channels]))
    except UnidentifiedImageError as error:
        raise ValueError("is not an image") from error
    except Exception as error:  # Pillow's decoders raise many kinds.
        raise ValueError(f"cannot be decoded: {error}") from error
    array = array.reshape(*array.shape[:2], channels)
    return resize(centre(array) if crop else array, size)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion would cut larger values off at 255."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image, np.uint16) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"it has 32-bit values (mode {image.mode}), whose range is not known")
    return image
