"""What a data set holds, for a person: counts, size, mean and deviation."""

import numpy as np

from kdjax.data.types import DataSet, Raw, Split
from kdjax.system.progress import table

_CHUNK = 1024


def show(raw: Raw, data: DataSet) -> None:
    """Prints how many images have each class or attribute in each part, then the moments.

    Args:
        raw: the data set as published.
        data: as it would be split for training.
    """
    parts = [name for name in ("train", "validation", "test") if name in raw.parts]
    counted = {part: counts(raw.parts[part].label, len(raw.class_names)) for part in parts}
    rows = [
        [name, *(f"{counted[part][index]:,}" for part in parts)]
        for index, name in enumerate(raw.class_names)
    ]
    rows.append(["images", *(f"{len(raw.parts[part].id):,}" for part in parts)])
    train = raw.parts["train"]
    table(
        raw.source,
        ["class" if train.label.ndim == 1 else "attribute", *parts],
        rows,
    )
    mean, deviation = moments(train)
    _, h, w, c = train.image.shape
    split = ", ".join(f"{len(one.id):,} {name}" for name, one in data.splits.items())
    print(f"{h} x {w} x {c}; of train: mean {_numbers(mean)}, deviation {_numbers(deviation)}")
    print(f"Runs see {split} images, unless their config says otherwise.")


def counts(label: np.ndarray, names: int) -> np.ndarray:
    """How many images have each of so many classes or attributes."""
    return np.bincount(label, minlength=names) if label.ndim == 1 else label.sum(axis=0)


def moments(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of a split's images, in [0, 1].

    From counts of the 256 values, a thousand images at a time.
    """
    channels = split.image.shape[-1]
    found = np.zeros((channels, 256), np.int64)
    for first in range(0, len(split.image), _CHUNK):
        chunk = split.image.read(slice(first, first + _CHUNK))
        for channel in range(channels):
            found[channel] += np.bincount(chunk[..., channel].ravel(), minlength=256)
    values = np.arange(256) / 255.0
    mean = (found * values).sum(axis=1) / found.sum(axis=1)
    squares = (found * (values - mean[:, None]) ** 2).sum(axis=1) / found.sum(axis=1)
    return mean, np.sqrt(squares)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in values)
