"""What `prepare` shows of a data set: a table, and a contact sheet with images of every class."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kdjax.data import cache
from kdjax.data.orders import random_keys
from kdjax.data.types import DataSet, Request, Split
from kdjax.system.progress import table

_CHUNK = 1024
_PER_CLASS = 5
"""Images in the sheet of each class, or with and without each attribute."""
_GAP = 4
_MINIMUM_CELL = 48


def print_summary(raw: DataSet, data: DataSet) -> None:
    """Prints the number of images per class or attribute and part, then the channels' moments.

    `raw` is the data set as published, and `data` the same data set, split for training.
    """
    train = raw.splits["train"]
    parts = [name for name in ("train", "validation", "test") if name in raw.splits]
    counts = [_counts(raw.splits[part].label, len(raw.class_names)) for part in parts]
    rows = [
        [name, *(f"{count[index]:,}" for count in counts)]
        for index, name in enumerate(raw.class_names)
    ]
    rows.append(["images", *(f"{len(raw.splits[part].id):,}" for part in parts)])
    table(raw.source, ["class" if train.label.ndim == 1 else "attribute", *parts], rows)
    mean, deviation = moments(train)
    _, h, w, c = train.image.shape
    print(f"{h} x {w} x {c}; of train: mean {_numbers(mean)}, deviation {_numbers(deviation)}")
    splits = ", ".join(f"{len(split.id):,} {name}" for name, split in data.splits.items())
    print(f"Runs see {splits} images, unless their config says otherwise.")


def moments(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of a split's images, in [0, 1].
    A thousand images are read at a time; sums of values and of squares are exact.
    """
    sums, squares = (np.zeros(split.image.shape[-1], np.int64) for _ in range(2))
    for first in range(0, len(split.image), _CHUNK):
        chunk = split.image.read(slice(first, first + _CHUNK)).astype(np.int64)
        sums += chunk.sum(axis=(0, 1, 2))
        squares += np.square(chunk).sum(axis=(0, 1, 2))
    pixels = split.image.nbytes // len(sums)
    mean = sums / pixels
    return mean / 255, np.sqrt(np.maximum(squares / pixels - mean**2, 0)) / 255


def default_sheet(name: str, request: Request) -> Path:
    """The contact sheet's path, which differs between data sets and between folders or archives."""
    name = name.replace("/", "-")
    if request.path:
        path = Path(request.path).expanduser().resolve()
        name += f"-{path.stem}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    return cache.root(request.data_dir) / "kdjax" / f"{name}.png"


def draw_sheet(raw: DataSet, path: Path) -> None:
    """Draws training images of every class, or with and without every attribute, as a PNG file."""
    train = raw.splits["train"]
    size = train.image.shape[1]
    cell = size * max(1, -(-_MINIMUM_CELL // size))
    step = cell + _GAP
    font = ImageFont.load_default(size=14)
    titles = ("with", "without") if train.label.ndim == 2 else ("",)
    left = max(int(font.getlength(name)) for name in raw.class_names) + 2 * _GAP
    top = 24 if len(titles) > 1 else _GAP
    group_width = _PER_CLASS * step + 4 * _GAP
    height = top + len(raw.class_names) * step
    sheet = Image.new("RGB", (left + len(titles) * group_width, height), "white")
    pen = ImageDraw.Draw(sheet)
    for index, name in enumerate(raw.class_names):
        y = top + index * step
        pen.text((_GAP, y + cell // 2), name, fill="black", font=font, anchor="lm")
        groups = zip(titles, _examples(train, index), strict=True)
        for group, (title, rows) in enumerate(groups):
            x = left + group * group_width
            pen.text((x, _GAP), title, fill="black", font=font)
            for column, image in enumerate(train.image.read(rows)):
                sheet.paste(_enlarged(image, cell), (x + column * step, y))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _counts(label: np.ndarray, names: int) -> np.ndarray:
    """The number of images of each class, or with each attribute, `[names]`."""
    return np.bincount(label, minlength=names) if label.ndim == 1 else label.sum(axis=0)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in values)


def _examples(split: Split, index: int) -> list[np.ndarray]:
    """Rows of a class, or rows with an attribute and rows without it; equal in every call."""
    keys = random_keys(len(split.id), index, "sheet")
    if split.label.ndim == 1:
        groups = [split.label == index]
    else:
        groups = [split.label[:, index] == 1, split.label[:, index] == 0]
    order = np.argsort(keys, kind="stable")
    return [order[group[order]][:_PER_CLASS] for group in groups]


def _enlarged(image: np.ndarray, cell: int) -> Image.Image:
    """The image enlarged by a whole factor, so that its pixels stay visible."""
    picture = Image.fromarray(image.squeeze()).convert("RGB")
    return picture.resize((cell, cell), Image.Resampling.NEAREST)
