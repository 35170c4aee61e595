"""The types that describe data sets; NumPy only."""

from typing import NamedTuple

import numpy as np

from kdjax.data.store import Images


class Request(NamedTuple):
    """A request to the source of a data set."""

    data_dir: str
    """The folder of prepared data; empty for TFDS's own default."""
    path: str
    """The user's own folder or archive, which is read instead of prepared data."""
    size: int
    """Height and width of the images."""
    channels: int
    """1 (grey) or 3 (colour); images are converted as needed."""
    crop: bool
    """Whether the square centre is cut out before resizing, which keeps the aspect ratio."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(h, w, c)`."""
        return self.size, self.size, self.channels


class Split(NamedTuple):
    """A part of a data set."""

    image: Images
    """`[n, h, w, c]` uint8, on disk until they are read."""
    label: np.ndarray
    """`[n]` int32 class indices, or `[n, k]` uint8 attributes in {0, 1}."""
    id: np.ndarray
    """`[n]` int32. From a source, the index in the split; for a run, the index in the source's
    train, validation and test splits together. It does not depend on what is held out, nor on the
    fraction of the data in use."""

    def rows(self, rows: np.ndarray) -> "Split":
        """The examples at `rows`, in that order; reads no image."""
        return Split(self.image.select(rows), self.label[rows], self.id[rows])

    def join(self, other: "Split") -> "Split":
        """These examples, then the examples of `other`; reads no image."""
        return Split(
            self.image.join(other.image),
            np.concatenate([self.label, other.label]),
            np.concatenate([self.id, other.id]),
        )


class DataSet(NamedTuple):
    """A data set as its source has it, or split for a run."""

    splits: dict[str, Split]
    """From a source: `train`, and `validation` and `test` where it has them. For a run: `train`,
    `test`, and `validation` unless training uses it too; or only `all`, for a set that is only
    evaluated on."""
    class_names: tuple[str, ...]
    """The names of the classes or of the attributes; empty where images have no labels."""
    source: str
    """Name and version, for records."""
    content: str = ""
    """A digest of all images and labels, for a source whose files can change."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(h, w, c)`."""
        _, h, w, c = next(iter(self.splits.values())).image.shape
        return h, w, c

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the attributes; empty where every image has one class."""
        multi_label = next(iter(self.splits.values())).label.ndim == 2
        return self.class_names if multi_label else ()

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return sum(split.image.nbytes for split in self.splits.values())
