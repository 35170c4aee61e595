"""What data sets are made of; numpy only."""

from typing import NamedTuple

import numpy as np


class Request(NamedTuple):
    """What a run asks of a data set's source."""

    data_dir: str
    """Where prepared data is; empty for TFDS's own default."""
    path: str
    """A folder or archive of the user's own, for sources that take one."""
    size: int
    """Height and width of the images."""
    channels: int
    """1 (grey) or 3 (colour); images are converted as needed."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(h, w, c)`."""
        return self.size, self.size, self.channels


class Split(NamedTuple):
    """One part of a data set."""

    image: np.ndarray
    """`[n, h, w, c]` uint8."""
    label: np.ndarray
    """`[n]` int32 class indices."""
    id: np.ndarray
    """`[n]` int32 index in the part that it was read from: fixed whatever is held out of it."""

    def rows(self, rows: np.ndarray) -> "Split":
        """The examples at `rows`, in that order."""
        return Split(self.image[rows], self.label[rows], self.id[rows])


class Raw(NamedTuple):
    """A data set as its source gives it."""

    parts: dict[str, Split]
    """`train`, and `validation` and `test` where the source has them."""
    class_names: tuple[str, ...]
    source: str
    """Name and version, for the record."""


class DataSet(NamedTuple):
    """A data set ready to train on."""

    splits: dict[str, Split]
    """`train`, `test`, and `validation` unless it was given to training."""
    class_names: tuple[str, ...]
    source: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(h, w, c)`."""
        _, h, w, c = self.splits["train"].image.shape
        return h, w, c
