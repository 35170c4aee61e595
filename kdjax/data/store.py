"""Images in memory or in files. Selecting and joining reads no image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Images:
    """`[n, h, w, c]` uint8 images, read on demand."""

    def __init__(self, sources: Sequence[np.ndarray | Path], rows: np.ndarray | None = None):
        """The images at `rows` of some arrays and `.npy` files, counted through all; None: all.

        Raises:
            ValueError, OSError, EOFError: a file is missing or damaged.
        """
        self._sources = tuple(sources)
        self._arrays = [
            np.load(source, mmap_mode="r") if isinstance(source, Path) else source
            for source in sources
        ]
        self._count = sum(map(len, self._arrays))
        self._rows = np.arange(self._count, dtype=np.int32) if rows is None else rows

    def __len__(self) -> int:
        return len(self._rows)

    def __reduce__(self) -> tuple[Any, ...]:
        """Worker processes get names of files, and not their contents."""
        return Images, (self._sources, self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, h, w, c)`."""
        return len(self), *self._arrays[0].shape[1:]

    @property
    def nbytes(self) -> int:
        """Bytes in memory once they are read."""
        return int(np.prod(self.shape))

    def select(self, rows: np.ndarray) -> "Images":
        """The images at `rows`, in that order."""
        return Images(self._sources, self._rows[rows])

    def join(self, other: "Images") -> "Images":
        """These images, then the images of `other`."""
        rows = np.concatenate([self._rows, other._rows + np.int32(self._count)])
        return Images(self._sources + other._sources, rows)

    def read(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The images at `rows`, all by default, as an array."""
        rows = self._rows[rows]
        if len(self._arrays) == 1:
            return np.asarray(self._arrays[0][rows])
        images, first = np.empty((len(rows), *self.shape[1:]), np.uint8), 0
        for array in self._arrays:
            here = (first <= rows) & (rows < first + len(array))
            images[here] = array[rows[here] - first]
            first += len(array)
        return images
