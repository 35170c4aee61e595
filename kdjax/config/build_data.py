"""From a config's `data` to a data set: its images, splits, and their normalisation."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from kdjax.data import splits
from kdjax.data.sources import attributes, folder
from kdjax.data.tfds import reader
from kdjax.data.types import DataSet, Request, Split
from kdjax.step import augment
from kdjax.system import discover, runtime
from kdjax.system.errors import UserError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of ImageNet's training images, by channel, in [0, 1]."""


def load_data(config: ConfigDict) -> DataSet:
    """The data set, split.

    Raises:
        UserError: it is unknown, not prepared, or does not fit the config.
    """
    return split(source(config.data.name)(request(config.data)), config.data)


def split(raw: DataSet, data: ConfigDict) -> DataSet:
    """The training, validation and test splits of a source's images."""
    return splits.prepare(
        raw,
        seed=data.seed,
        validation=data.validation,
        fraction=data.fraction,
        refit=data.refit,
    )


def other_set(data: ConfigDict, path: str, own: DataSet) -> DataSet:
    """All images of another labelled set, as the split `all`, labelled by the classes of `own`.

    Args:
        data: `config.data` of the run, for the images' size and channels.
        path: class folders, a zip or a tar of them, or IDX files; where `own` has attributes, a
            folder with images and an attribute file.
        own: the run's data set.

    Raises:
        UserError: the set has a class that the run does not have, or lacks an attribute.
    """
    at_path = request(data)._replace(path=path)
    if own.attributes:
        raw, known = attributes.read(at_path), own.attributes
    else:
        raw, known = folder.read(at_path, training=False), own.class_names
    parts = [raw.splits[name] for name in ("train", "validation", "test") if name in raw.splits]
    every = functools.reduce(Split.join, parts)
    present = raw.class_names
    if not own.attributes:
        present = tuple(present[index] for index in np.unique(every.label))
    for name in present:
        if name not in known:
            raise discover.unknown(f"class in {raw.source}", name, known)
    if own.attributes:
        if missing := sorted(set(known) - set(present)):
            raise UserError(f"{raw.source} lacks attributes of the run: {', '.join(missing)}")
        label = every.label[:, [present.index(name) for name in known]]
    else:
        place = [known.index(name) if name in present else -1 for name in raw.class_names]
        label = np.array(place, np.int32)[every.label]
    ids = np.arange(len(label), dtype=np.int32)
    split = every._replace(label=label, id=ids)
    return DataSet({"all": split}, own.class_names, raw.source, raw.content)


def source(name: str) -> Callable[[Request], DataSet]:
    """The function that reads a data set.

    Args:
        name: an entry of `configs/datasets.py`, `tfds/<name>` for any data set of TFDS, or the
            full name of the user's own module, with a dot.

    Raises:
        UserError: there is no data set of that name.
    """
    from configs import datasets

    if "." in name and not name.startswith("tfds/"):
        return discover.module("kdjax.data.sources", name, "data set", function="read").read
    tfds_name = datasets.tfds_name(name)
    if tfds_name is None:
        return discover.module("kdjax.data.sources", name, "data set").read
    copy = datasets.settings(name).get("copy", "folder")
    read_copy = discover.module("kdjax.data.sources", copy, "data set").read
    return functools.partial(reader.read, tfds_name, read_copy)


def request(data: ConfigDict) -> Request:
    """The request to a data source: where its images are, their size and channels."""
    channels = len(normalisation(data)[0])
    return Request(data.data_dir, data.path, data.size, channels, data.crop)


def normalisation(data: ConfigDict) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel; their number is that of the images' channels."""
    channels = len(data.mean)
    kinds = {
        "dataset": (tuple(data.mean), tuple(data.std)),
        "imagenet": IMAGENET,
        "unit": ((0.0,) * channels, (1.0,) * channels),
    }
    return kinds[data.normalisation]


def appearance(data: ConfigDict) -> dict[str, Any]:
    """The values of the config that decide what images look like to a network, by their keys."""
    mean, std = normalisation(data)
    keys = ("name", "size", "crop")
    return {**{f"data.{k}": data[k] for k in keys}, "data.mean": mean, "data.std": std}


def streaming(config: ConfigDict, data: DataSet) -> bool:
    """Whether batches are read from disk as they are needed."""
    if config.data.input != "auto":
        return config.data.input == "streaming"
    return not runtime.fits(data.nbytes, jax.local_devices()[0])


def require_room(data: ConfigDict, batch_size: int) -> None:
    """Makes sure that this machine can hold a training batch, before any image is read.

    Raises:
        UserError: it cannot.
    """
    size, channels = data.size, len(normalisation(data)[0])
    # float32, as the networks read them.
    needed, memory = 4 * batch_size * size**2 * channels, runtime.host_memory()
    if needed > memory:
        raise UserError(
            f"config.data.size is {size}: a batch of {batch_size} takes {needed / 1e9:,.0f} GB, "
            f"and this machine has {memory / 1e9:,.0f} GB of memory; choose a smaller size"
        )


def views(config: ConfigDict) -> int:
    """The number of views per image, used in rotation; 0 for a new view in every epoch.

    Raises:
        UserError: the teachers' outputs cannot be cached, because views do not come again.
    """
    if not config.teacher_cache:
        return config.data.views
    values = config.data.augment
    if values.mixup or values.cutmix:
        raise UserError(
            "config.teacher_cache: mixed images depend on the batch, so that outputs on them "
            "cannot be kept; set config.data.augment.mixup and cutmix to 0"
        )
    if not augment.varies(**values):
        return 1
    if not config.data.views:
        raise UserError(
            "config.teacher_cache needs views that come again: set config.data.views, as 4, or "
            "switch off the transforms of config.data.augment"
        )
    return config.data.views
