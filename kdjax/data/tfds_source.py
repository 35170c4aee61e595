"""Data sets that TensorFlow Datasets has prepared, read without TensorFlow."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.data.images import cached, resize
from kdjax.data.types import Raw, Split
from kdjax.errors import UserError


def directory(data_dir: str) -> str:
    """`data_dir`, or where TFDS keeps its data if that is empty."""
    chosen = data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return os.path.expanduser(chosen)


def read(name: str, *, data_dir: str, size: int) -> Raw:
    """Every split of a prepared data set, decoded once and cached at `size`.

    Args:
        name: TFDS's name of an image-classification data set.
        data_dir: where it was prepared; empty for TFDS's own default.
        size: height and width of the images, in pixels.

    Raises:
        UserError: it was not prepared there; the message has the command that prepares it.
    """
    import tensorflow_datasets as tfds

    where = directory(data_dir)
    try:
        builder = tfds.builder(name, data_dir=where)
        prepared = bool(builder.info.splits)
    except tfds.core.DatasetNotFoundError:
        prepared = False
    if not prepared:
        option = f" --data_dir={data_dir}" if data_dir else ""
        raise UserError(
            f"data set {name!r} is not prepared in {where}: run python -m kdjax.prepare "
            f"--dataset={name}{option} (with no network, add --manual_dir=DIR, the folder that "
            "holds its official archives)"
        )
    cache = Path(where) / "kdjax" / f"{name}-{builder.info.version}-{size}"
    parts = {
        part: cached(cache / part, partial(_decode, builder, part, size))
        for part in builder.info.splits
        if part in ("train", "validation", "test")
    }
    return Raw(
        parts, tuple(builder.info.features["label"].names), f"{name} {builder.info.version} (TFDS)"
    )


def _decode(builder: Any, part: str, size: int) -> Split:
    from kdjax.progress import track

    records = builder.as_data_source(split=part)
    image, label = [], []
    for index in track(range(len(records)), f"decoding {builder.name}/{part}"):
        record = records[index]
        image.append(resize(record["image"], size))
        label.append(record["label"])
    return Split(
        np.stack(image), np.asarray(label, np.int32), np.arange(len(label), dtype=np.int32)
    )
