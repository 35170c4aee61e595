"""What data sets are made of; numpy only."""

from typing import NamedTuple

import numpy as np

from kdjax.data.store import Images


class Request(NamedTuple):
    """What a run asks of a data set's source."""

    data_dir: str
    """Where prepared data is; empty for TFDS's own default."""
    path: str
    """A folder or archive of the user's own, in place of what TFDS has prepared."""
    size: int
    """Height and width of the images."""
    channels: int
    """1 (grey) or 3 (colour); images are converted as needed."""
    crop: bool
    """Cut the square centre out before resizing, so that the aspect is kept."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(h, w, c)`."""
        return self.size, self.size, self.channels

    @property
    def key(self) -> str:
        """What the decoded images depend on, for the name of their cache."""
        return f"{self.size}x{self.channels}{'-crop' if self.crop else ''}"


class Split(NamedTuple):
    """One part of a data set."""

    image: Images
    """`[n, h, w, c]` uint8; on disk until they are read."""
    label: np.ndarray
    """`[n]` int32 class indices, or `[n, k]` uint8 attributes in {0, 1}."""
    id: np.ndarray
    """`[n]` int32 index in the part that it was read from; in a `DataSet`, counted on through the
    source's train, validation and test parts. Fixed, whatever is held out and whatever fraction is
    used."""

    def rows(self, rows: np.ndarray) -> "Split":
        """The examples at `rows`, in that order; no image is read."""
        return Split(self.image.select(rows), self.label[rows], self.id[rows])

    def join(self, other: "Split") -> "Split":
        """These examples, then those of `other`; no image is read."""
        return Split(
            self.image.join(other.image),
            np.concatenate([self.label, other.label]),
            np.concatenate([self.id, other.id]),
        )


class Raw(NamedTuple):
    """A data set as its source gives it."""

    parts: dict[str, Split]
    """`train`, and `validation` and `test` where the source has them."""
    class_names: tuple[str, ...]
    """Of the classes, or of the attributes."""
    source: str
    """Name and version, for the record."""
    content: str = ""
    """Depends on all images and labels, where those can change."""


class DataSet(NamedTuple):
    """A data set ready to train on."""

    splits: dict[str, Split]
    """`train`, `test`, and `validation` unless it was given to training; or `all` of a set that is
    only evaluated on."""
    class_names: tuple[str, ...]
    """Of the classes, or of the attributes."""
    source: str
    content: str = ""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(h, w, c)`."""
        _, h, w, c = next(iter(self.splits.values())).image.shape
        return h, w, c

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the attributes; none where every image has one class."""
        several = next(iter(self.splits.values())).label.ndim == 2
        return self.class_names if several else ()

    @property
    def nbytes(self) -> int:
        """Of all images together."""
        return sum(split.image.nbytes for split in self.splits.values())
