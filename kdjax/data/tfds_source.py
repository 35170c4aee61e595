"""Data sets that TensorFlow Datasets has prepared, read without TensorFlow."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.data import images
from kdjax.data.types import Raw, Request
from kdjax.errors import UserError
from kdjax.progress import track


def directory(data_dir: str) -> str:
    """`data_dir`, or where TFDS keeps its data if that is empty."""
    chosen = data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    return os.path.expanduser(chosen)


def read(name: str, request: Request) -> Raw:
    """Every split of a prepared data set, decoded once and cached at `size`.

    Args:
        name: TFDS's name of an image-classification data set.
        request: what to read, and from where.

    Raises:
        UserError: it was not prepared there; the message has the command that prepares it.
    """
    import tensorflow_datasets as tfds

    where = directory(request.data_dir)
    try:
        builder = tfds.builder(name, data_dir=where)
        prepared = bool(builder.info.splits)
    except tfds.core.DatasetNotFoundError:
        prepared = False
    if not prepared:
        option = f" --data_dir={request.data_dir}" if request.data_dir else ""
        raise UserError(
            f"data set {name!r} is not prepared in {where}: run python -m kdjax.prepare "
            f"--dataset={name}{option} (with no network, add --manual_dir=DIR, the folder that "
            "holds its official archives)"
        )
    version = f"{name}-{builder.info.version}-{request.size}x{request.channels}"
    _check_features(name, builder.info)
    cache = Path(where) / "kdjax" / version
    parts = {
        part: images.cached(
            cache / part, partial(_write, builder=builder, part=part, request=request)
        )
        for part in builder.info.splits
        if part in ("train", "validation", "test")
    }
    return Raw(
        parts, tuple(builder.info.features["label"].names), f"{name} {builder.info.version} (TFDS)"
    )


def _check_features(name: str, info: Any) -> None:
    features = info.features
    if "train" not in info.splits:
        raise UserError(f"TFDS's {name} has no train split, but {', '.join(info.splits)}")
    if not {"image", "label"} <= set(features) or not hasattr(features["label"], "names"):
        raise UserError(
            f"TFDS's {name} is no image classification: it needs the features image and label, "
            f"and has {', '.join(features)}"
        )


def _write(folder: Path, *, builder: Any, part: str, request: Request) -> None:
    try:
        records = builder.as_data_source(split=part, decoders={"image": _encoded()})
    except NotImplementedError as error:
        raise UserError(
            f"{builder.name} was prepared by another program in a format that needs TensorFlow; "
            "prepare it into another --data_dir"
        ) from error
    label = np.zeros(len(records), np.int32)

    def rows() -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
        for row in track(range(len(records)), len(records), f"decoding {part}"):
            record = records[row]
            label[row] = record["label"]
            content = record["image"]
            yield (
                row,
                partial(images.decode, content, size=request.size, channels=request.channels),
            )

    images.write_split(folder, label, request.image_shape, rows())


def _encoded() -> Any:
    import tensorflow_datasets as tfds

    return tfds.decode.SkipDecoding()
