"""Data sets that TensorFlow Datasets has prepared, read without TensorFlow."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kdjax.data import cache
from kdjax.data.types import DataSet, Request
from kdjax.system import errors
from kdjax.system.errors import UserError
from kdjax.system.progress import console, track

Read = Callable[[Request], DataSet]


def read(name: str, read_copy: Read, request: Request) -> DataSet:
    """Every split of a prepared data set, decoded once and cached at the request's size.

    If the request has a path, it is the user's own copy, which `read_copy` reads. This serves
    copies that are not the official archives, for instance in another size or encoding.

    Args:
        name: TFDS's name of a data set whose features are `image` and either `label` (a class) or
            `attributes` (booleans).
        read_copy: reads the user's own copy.
        request: the folder of the data, and the images' size.

    Raises:
        UserError: the data set is not prepared; the message has the command that prepares it.
    """
    if request.path:
        return read_copy(request)
    import tensorflow_datasets as tfds

    data_dir = str(cache.root(request.data_dir))
    try:
        builder = tfds.builder(name, data_dir=data_dir)
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
            f"data set {name!r} is not prepared in {data_dir}: run python -m kdjax.prepare "
            f"--dataset={name}{option} (with no network, add --manual_dir=DIR, the folder that "
            "holds its official archives)"
        )
    class_names, label_of = _labels(name, builder.info)

    def open_part(part: str) -> cache.Part:
        try:
            undecoded = {"image": tfds.decode.SkipDecoding()}
            records = builder.as_data_source(split=part, decoders=undecoded)
        except NotImplementedError as error:
            raise UserError(
                f"{builder.name} was prepared by another program in a format that needs "
                "TensorFlow; prepare it into another --data_dir"
            ) from error
        label = np.zeros((len(records), *np.shape(label_of(records[0]))), np.int32)

        def encoded() -> Iterator[cache.Encoded]:
            for row in track(range(len(records)), len(records), f"decoding {part}"):
                record = records[row]
                label[row] = label_of(record)
                yield cache.Encoded(row, f"{builder.name}: image {row} of {part}", record["image"])

        return label, encoded()

    folder = cache.folder(request, f"{name.replace('/', '-')}-{builder.info.version}")
    parts = [part for part in ("train", "validation", "test") if part in builder.info.splits]
    splits, content = cache.read_splits(folder, parts, open_part, request)
    for part in parts:
        if (splits[part].label < 0).any():
            if part == "train":
                raise UserError(f"TFDS's {name} has no labels for all of its train split")
            console.print(f"{name}: labels of {part} are not public; it is left out", markup=False)
            del splits[part]
    return DataSet(splits, class_names, f"{name} {builder.info.version} (TFDS)", content)


def _labels(name: str, info: Any) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """The names of the classes or attributes, and a function that gives a record's label."""
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
