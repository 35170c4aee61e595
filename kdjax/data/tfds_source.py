"""Data sets that TensorFlow Datasets has prepared, read without TensorFlow."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.data import cache
from kdjax.data.types import Raw, Request
from kdjax.system import errors
from kdjax.system.errors import UserError
from kdjax.system.progress import console, track

Read = Callable[[Request], Raw]


def reader(name: str, own: Read) -> Read:
    """How one of TFDS's data sets is read: `own` reads it from the request's path, if it has one.

    A path serves copies that are not the official archives: of another size or encoding, say.
    """

    def read_one(request: Request) -> Raw:
        return own(request) if request.path else read(name, request)

    return read_one


def read(name: str, request: Request) -> Raw:
    """Every split of a prepared data set, decoded once and cached at the request's size.

    Args:
        name: TFDS's name of a data set with a `label` (a class) or with `attributes` (each true or
            false) for each `image`.
        request: what to read, and from where.

    Raises:
        UserError: it was not prepared there; the message has the command that prepares it.
    """
    import tensorflow_datasets as tfds

    where = str(cache.root(request.data_dir))
    try:
        builder = tfds.builder(name, data_dir=where)
        prepared = bool(builder.info.splits)
    except tfds.core.DatasetNotFoundError:
        prepared = False
    except ValueError as error:
        raise UserError(
            f"tfds/{name}: TFDS refuses the name, which is to be as tfds/fashion_mnist "
            f"({errors.describe(error)})"
        ) from error
    if not prepared:
        option = f" --data_dir={request.data_dir}" if request.data_dir else ""
        raise UserError(
            f"data set {name!r} is not prepared in {where}: run python -m kdjax.prepare "
            f"--dataset={name}{option} (with no network, add --manual_dir=DIR, the folder that "
            "holds its official archives)"
        )
    class_names, label_of = _labels(name, builder.info)
    folder = cache.folder(request, f"{name.replace('/', '-')}-{builder.info.version}")
    parts = {
        part: cache.cached(
            folder / part,
            partial(_write, builder=builder, part=part, request=request, label_of=label_of),
        )
        for part in builder.info.splits
        if part in ("train", "validation", "test")
    }
    hidden = [part for part, split in parts.items() if (split.label < 0).any()]
    if "train" in hidden:
        raise UserError(f"TFDS's {name} has no labels for all of its train split")
    for part in hidden:
        console.print(f"{name}: labels of {part} are not public; it is left out", markup=False)
        del parts[part]
    source = f"{name} {builder.info.version} (TFDS)"
    return Raw(parts, class_names, source, cache.content(folder))


def _labels(name: str, info: Any) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """Names of the classes or attributes, and a record's label."""
    features = info.features
    if "train" not in info.splits:
        raise UserError(f"TFDS's {name} has no train split, but {', '.join(info.splits)}")
    if {"image", "label"} <= set(features) and hasattr(features["label"], "names"):
        return tuple(features["label"].names), lambda record: record["label"]
    if {"image", "attributes"} <= set(features):
        attributes = features["attributes"]
        names = tuple(key for key in attributes if attributes[key].np_dtype == np.bool_)
        if names:
            return names, lambda record: [record["attributes"][key] for key in names]
    raise UserError(
        f"TFDS's {name} is no image classification: it needs the features image and label, or "
        f"image and attributes, and has {', '.join(features)}"
    )


def _write(
    folder: Path, *, builder: Any, part: str, request: Request, label_of: Callable[[Any], Any]
) -> None:
    import tensorflow_datasets as tfds

    try:
        records = builder.as_data_source(split=part, decoders={"image": tfds.decode.SkipDecoding()})
    except NotImplementedError as error:
        raise UserError(
            f"{builder.name} was prepared by another program in a format that needs TensorFlow; "
            "prepare it into another --data_dir"
        ) from error
    first = np.asarray(label_of(records[0]))
    label = np.zeros((len(records), *first.shape), np.int32)

    def encoded() -> Iterator[tuple[int, str, bytes]]:
        for row in track(range(len(records)), len(records), f"decoding {part}"):
            record = records[row]
            label[row] = label_of(record)
            yield row, f"{builder.name}: image {row} of {part}", record["image"]

    cache.write_split(folder, label, request, encoded())
