"""Decoding and resizing, and the cache of decoded arrays."""

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from kdjax.data.types import Split
from kdjax.errors import UserError

MODES = {1: "L", 3: "RGB"}
"""Pillow's mode for each number of channels."""
_BATCH = 256


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """`[h, w, c]` uint8 to `[size, size, c]`, bilinear, antialiased where it shrinks."""
    if image.shape[:2] == (size, size):
        return image
    planes = [
        np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def decode(content: bytes, *, size: int, channels: int) -> np.ndarray:
    """An encoded image as `[size, size, channels]` uint8, converted to grey or colour as needed.

    Args:
        content: the file's bytes, in any format that Pillow reads.
        size: height and width.
        channels: 1 or 3.

    Raises:
        ValueError: it is no image, or a damaged one; says which.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format == "JPEG":
                # Decodes at a smaller scale where that still is twice the size wanted.
                image.draft(MODES[channels], (2 * size, 2 * size))
            array = np.asarray(image.convert(MODES[channels]))
    except UnidentifiedImageError as error:
        raise ValueError("is not an image") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot be decoded: {error}") from error
    return resize(array.reshape(*array.shape[:2], channels), size)


def cached(path: Path, write: Callable[[Path], None]) -> Split:
    """The arrays at `path`; where they are missing, `write` makes them in a fresh folder first.

    They appear all at once or not at all, also when several processes start together: each
    writes a folder of its own and renames it; who comes second keeps the first one's.

    Raises:
        UserError: the disk is full.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        except OSError as error:
            raise UserError(f"cannot cache images in {path.parent}: {error.strerror}") from error
        try:
            write(fresh)
            os.rename(fresh, path)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise UserError(f"no space left in {path.parent} to cache {path.name}") from error
            if not path.exists():
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    try:
        return Split(*(np.load(path / f"{name}.npy") for name in Split._fields))
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"the cache {path} is damaged: remove it ({error})") from error


def write_split(
    folder: Path,
    label: np.ndarray,
    shape: tuple[int, int, int],
    images: Iterable[tuple[int, Callable[[], np.ndarray]]],
) -> None:
    """Writes the arrays of a split, decoding on all cores; holds a few hundred images at a time.

    Args:
        folder: where to write.
        label: `[n]`.
        shape: `(h, w, c)` of every image.
        images: for each row, in any order, a function that decodes it.
    """
    image = _allocate(folder / "image.npy", (len(label), *shape))
    rows = iter(images)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while batch := list(islice(rows, _BATCH)):
            for (row, _), array in zip(batch, pool.map(_call, batch), strict=True):
                image[row] = array
    image.flush()
    np.save(folder / "label.npy", np.asarray(label, np.int32))
    np.save(folder / "id.npy", np.arange(len(label), dtype=np.int32))


def _call(item: tuple[int, Callable[[], np.ndarray]]) -> np.ndarray:
    return item[1]()


def _allocate(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A new array on disk. Its space is taken now: a full disk later would kill the process."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
