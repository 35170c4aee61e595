"""A contact sheet: a few images of every class, so that a person sees whether labels fit."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kdjax.data.orders import random_keys
from kdjax.data.types import Raw, Split

EACH = 5
"""Images of each class, or with and without each attribute."""
_GAP = 4
_SMALLEST = 48


def draw(raw: Raw, path: Path) -> None:
    """Draws `EACH` training images of every class; for attributes as many with it and without it.

    Args:
        raw: the data set.
        path: of the PNG; its folder is made.
    """
    train = raw.parts["train"]
    rows = [(name, _examples(train, index)) for index, name in enumerate(raw.class_names)]
    size = train.image.shape[1]
    cell = size * max(1, -(-_SMALLEST // size))
    font = ImageFont.load_default(size=14)
    titles = ("with", "without") if train.label.ndim == 2 else ("",)
    margin = max(int(font.getlength(name)) for name, _ in rows) + 2 * _GAP
    top = 24 if len(titles) > 1 else _GAP
    width = margin + len(titles) * (EACH * (cell + _GAP) + 4 * _GAP)
    sheet = Image.new("RGB", (width, top + len(rows) * (cell + _GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, (name, groups) in enumerate(rows):
        y = top + place * (cell + _GAP)
        pen.text((_GAP, y + cell // 2), name, fill="black", font=font, anchor="lm")
        for number, group in enumerate(groups):
            x = margin + number * (EACH * (cell + _GAP) + 4 * _GAP)
            pen.text((x, _GAP), titles[number], fill="black", font=font)
            for column, image in enumerate(train.image.read(group)):
                sheet.paste(_picture(image, cell), (x + column * (cell + _GAP), y))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _examples(split: Split, index: int) -> list[np.ndarray]:
    """Rows with a class, or with an attribute and without it; the same on every call."""
    keys = random_keys(len(split.id), index, "sheet")
    if split.label.ndim == 1:
        groups = [split.label == index]
    else:
        groups = [split.label[:, index] == 1, split.label[:, index] == 0]
    found = [np.flatnonzero(group) for group in groups]
    return [rows[np.argsort(keys[rows], kind="stable")][:EACH] for rows in found]


def _picture(image: np.ndarray, cell: int) -> Image.Image:
    """Enlarged by a whole number, so that pixels stay pixels."""
    return (
        Image.fromarray(image.squeeze())
        .convert("RGB")
        .resize((cell, cell), Image.Resampling.NEAREST)
    )
