"""Images in memory or in files. Selecting and joining reads no image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Images:
    """`[n, h, w, c]` uint8 images, read on demand.

    Pickling, for worker processes, copies names of files and not their contents.
    """

    def __init__(self, sources: Sequence[np.ndarray | Path]):
        """All images of some arrays and `.npy` files, one after another.

        Raises:
            ValueError, OSError, EOFError: a file is missing or damaged.
        """
        self._sources = tuple(sources)
        self._arrays = [_load(source) for source in sources]
        counts = [len(array) for array in self._arrays]
        self._source = np.repeat(np.arange(len(counts), dtype=np.int8), counts)
        self._row = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])

    def __len__(self) -> int:
        return len(self._row)

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
        selected = Images.__new__(Images)
        selected._sources, selected._arrays = self._sources, self._arrays
        selected._source, selected._row = self._source[rows], self._row[rows]
        return selected

    def join(self, other: "Images") -> "Images":
        """These images, then the images of `other`."""
        joined = Images.__new__(Images)
        joined._sources = self._sources + other._sources
        joined._arrays = self._arrays + other._arrays
        shifted = other._source + np.int8(len(self._sources))
        joined._source = np.concatenate([self._source, shifted])
        joined._row = np.concatenate([self._row, other._row])
        return joined

    def read(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The images at `rows`, all by default, as an array."""
        source, row = self._source[rows], self._row[rows]
        if len(self._arrays) == 1:
            return np.asarray(self._arrays[0][row])
        images = np.empty((len(row), *self.shape[1:]), np.uint8)
        for index, array in enumerate(self._arrays):
            images[source == index] = array[row[source == index]]
        return images

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_arrays": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._arrays = [_load(source) for source in self._sources]


def _load(source: np.ndarray | Path) -> np.ndarray:
    return np.load(source, mmap_mode="r") if isinstance(source, Path) else source
