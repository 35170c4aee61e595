"""Decoding and resizing of image files."""

import functools
import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kdjax.data.types import Request
from kdjax.system.errors import UserError

_MODES = {1: "L", 3: "RGB"}
"""Pillow's mode for each number of channels."""


def require_room(shape: tuple[int, ...], free: int, place: str) -> None:
    """Checks that decoded images fit into memory or on a disk.

    Args:
        shape: `(n, h, w, c)` of all images, uint8.
        free: bytes that are free there.
        place: the memory or disk, for the message.

    Raises:
        UserError: the images do not fit.
    """
    count, h, w, c = shape
    if (needed := count * h * w * c) > free:
        raise UserError(
            f"config.data.size is {h}: {count:,} images of {h} x {w} x {c} take "
            f"{needed / 1e9:,.1f} GB decoded, and {place} has {free / 1e9:,.1f} GB; choose a "
            "smaller size"
        )


@functools.cache
def suffixes() -> frozenset[str]:
    """Suffixes of the files that Pillow reads, with their dots, in lower case."""
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN)


def is_image(content: bytes) -> bool:
    """Whether a file's bytes begin like an image, intact or damaged."""
    try:
        Image.open(io.BytesIO(content)).close()
    except UnidentifiedImageError:
        return False
    except Exception:  # Pillow's decoders raise many kinds.
        return True
    return True


def decode(content: bytes | np.ndarray, request: Request) -> np.ndarray:
    """An image as `[h, w, c]` uint8 of the request's size, converted to grey or colour as needed.

    The image is turned as its EXIF data says, and 16-bit grey values are scaled to 8 bits. Resizing
    is bilinear, and antialiased where it shrinks.

    Args:
        content: the bytes of a file that Pillow reads, or grey pixels `[h, w]` uint8.
        request: size, channels and crop; without a crop, the aspect ratio may change.

    Raises:
        ValueError: the content is no image, or a damaged one.
    """
    try:
        with (
            Image.open(io.BytesIO(content))
            if isinstance(content, bytes)
            else Image.fromarray(content)
        ) as opened:
            image = _eight_bits(ImageOps.exif_transpose(opened)).convert(_MODES[request.channels])
    except UnidentifiedImageError as error:
        raise ValueError("is not an image") from error
    except Exception as error:  # Pillow's decoders raise many kinds.
        raise ValueError(f"cannot be decoded: {error}") from error
    if request.crop:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    if image.size != (request.size, request.size):
        image = image.resize((request.size, request.size), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(request.image_shape)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit values scaled to 8 bits; Pillow's own conversion cuts values off at 255."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image, np.uint16) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"it has 32-bit values (mode {image.mode}), whose range is not known")
    return image
