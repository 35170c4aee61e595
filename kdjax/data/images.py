"""Resizing, and the cache of decoded arrays."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from kdjax.data.types import Split


def resize(image: np.ndarray, size: int) -> np.ndarray:
    """`[h, w, c]` uint8 to `[size, size, c]`, bilinear, antialiased where it shrinks."""
    if image.shape[:2] == (size, size):
        return image
    planes = [
        np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(image, -1, 0)
    ]
    return np.stack(planes, axis=-1)


def cached(path: Path, decode: Callable[[], Split]) -> Split:
    """The arrays at `path`, decoded and written first where they are missing.

    They appear all at once or not at all, also when several processes start together: each
    writes a folder of its own and renames it; who comes second keeps the first one's.
    """
    if not path.exists():
        split = decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            for name, array in split._asdict().items():
                np.save(fresh / f"{name}.npy", array)
            os.rename(fresh, path)
        except OSError:
            if not path.exists():
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return Split(*(np.load(path / f"{name}.npy") for name in Split._fields))
