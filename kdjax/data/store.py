"""Images where they lie: in memory, or decoded in files. Selecting some of them reads nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Images:
    """`[n, h, w, c]` uint8 images, read when they are asked for.

    What is pickled, for worker processes, are the files' names, not their contents.
    """

    def __init__(self, sources: Sequence[np.ndarray | Path]):
        """All images of some arrays and `.npy` files, one after another.

        Raises:
            ValueError, OSError, EOFError: a file is not there or is damaged.
        """
        self._sources = tuple(sources)
        self._open = [_open(source) for source in sources]
        counts = [len(array) for array in self._open]
        self._source = np.repeat(np.arange(len(counts), dtype=np.int8), counts)
        self._row = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])

    def __len__(self) -> int:
        return len(self._row)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, h, w, c)`."""
        return len(self), *self._open[0].shape[1:]

    @property
    def nbytes(self) -> int:
        """Once read."""
        return int(np.prod(self.shape))

    def select(self, rows: np.ndarray) -> "Images":
        """The images at `rows`, in that order."""
        return self._with(self._sources, self._open, self._source[rows], self._row[rows])

    def join(self, other: "Images") -> "Images":
        """These images, then those of `other`."""
        return self._with(
            self._sources + other._sources,
            self._open + other._open,
            np.concatenate([self._source, other._source + np.int8(len(self._sources))]),
            np.concatenate([self._row, other._row]),
        )

    def read(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The images at `rows`, all by default, as an array."""
        source, row = self._source[rows], self._row[rows]
        if len(self._open) == 1:
            return np.asarray(self._open[0][row])
        images = np.empty((len(row), *self.shape[1:]), np.uint8)
        for index, array in enumerate(self._open):
            images[source == index] = array[row[source == index]]
        return images

    def _with(self, sources: Any, opened: Any, source: np.ndarray, row: np.ndarray) -> "Images":
        made = Images.__new__(Images)
        made._sources, made._open, made._source, made._row = sources, opened, source, row
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_open"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open = [_open(source) for source in self._sources]


def _open(source: np.ndarray | Path) -> np.ndarray:
    return np.load(source, mmap_mode="r") if isinstance(source, Path) else source
