"""Random images in place of a data set, for benchmarks: `config.data.name` is this module."""

import numpy as np

from kdjax.data.store import Images
from kdjax.data.types import DataSet, Request, Split

COUNT = 12_800
CLASSES = 10


def read(request: Request) -> DataSet:
    """As many images for training as a hundred batches of 128 hold, and some to test on."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        image = rng.integers(0, 256, (count, *request.image_shape), dtype=np.uint8)
        label = rng.integers(0, CLASSES, count).astype(np.int32)
        return Split(Images([image]), label, np.arange(count, dtype=np.int32))

    names = tuple(f"class {index}" for index in range(CLASSES))
    return DataSet({"train": split(COUNT), "test": split(1_280)}, names, "noise")
