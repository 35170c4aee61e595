"""Prepares a data set once: downloads or takes archives, checks them, decodes them.

    python -m kdjax.prepare --dataset=mnist
    python -m kdjax.prepare --dataset=mnist --manual_dir=DIR   # no network: official files in DIR

The only command that needs TensorFlow: pip install -r requirements/prepare.txt
"""

from typing import Any

import numpy as np
from absl import flags

from kdjax import cli, progress
from kdjax.errors import UserError


def define() -> None:
    """The command's flags."""
    flags.DEFINE_string("dataset", None, "TFDS's name of the data set, as mnist.")
    flags.DEFINE_string(
        "manual_dir", None, "Folder with the official archives under their own names; no download."
    )
    flags.DEFINE_string("data_dir", "", "Where to put it. Default: TFDS's own.")
    flags.DEFINE_integer("size", None, "Height and width to decode to. Default: the config's.")


def main() -> None:
    """Prepares, and prints what came out."""
    if not flags.FLAGS.dataset:
        raise UserError("--dataset=NAME is needed, as --dataset=mnist")
    if flags.FLAGS.dataset in ("digits", "folder"):
        raise UserError(
            f"{flags.FLAGS.dataset} needs no preparing: use it after the config's colon"
        )
    from configs import datasets
    from kdjax.data import tfds_source
    from kdjax.data.types import Request

    name = flags.FLAGS.dataset.removeprefix("tfds/")
    settings = datasets.settings(name if name in datasets.DATASETS else f"tfds/{name}")
    size = flags.FLAGS.size or settings["size"]
    request = Request(flags.FLAGS.data_dir, "", size, len(settings["mean"]))
    with_tfds(name, manual_dir=flags.FLAGS.manual_dir, data_dir=flags.FLAGS.data_dir)
    summary(tfds_source.read(name, request))


def with_tfds(name: str, *, manual_dir: str | None, data_dir: str) -> None:
    """Writes a TFDS data set as ArrayRecord files, which are read without TensorFlow.

    Args:
        name: TFDS's name.
        manual_dir: folder with the official archives, or None to download them.
        data_dir: where to write; empty for TFDS's own default.

    Raises:
        UserError: TensorFlow is missing, the name is unknown, or an archive is missing or is not
            the official one.
    """
    try:
        import tensorflow as tf  # noqa: F401
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise UserError(
            f"preparing needs {error.name}: run pip install -r requirements/prepare.txt"
        ) from error
    from kdjax.data.tfds_source import directory

    where = directory(data_dir)
    download = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        builder = tfds.builder(name, data_dir=where, file_format="array_record")
        builder.download_and_prepare(download_config=download)
    except tfds.core.DatasetNotFoundError as error:
        raise UserError(f"TFDS has no data set {name!r}") from error
    except tfds.download.download_manager.NonMatchingChecksumError as error:
        raise UserError(f"{name}: an archive is not the official one: {_line(error)}") from error
    except (AssertionError, OSError) as error:
        # TFDS asserts that manually downloaded files exist, and says which and from where.
        raise UserError(f"{name} could not be prepared: {_line(error)}") from error
    except Exception as error:
        if not _is_network(error):
            raise
        files = ", ".join(sorted(url.rsplit("/", 1)[-1] for url in builder.url_infos))
        raise UserError(
            f"{name} could not be downloaded ({type(error).__name__}): get {files} elsewhere, put "
            "them into a folder and pass it as --manual_dir=DIR"
        ) from error


def _is_network(error: Exception) -> bool:
    import requests
    import urllib3

    return isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def summary(raw: Any) -> None:
    """Prints, for each class and split, the number of images, and their size, mean, deviation."""
    parts = list(raw.parts)
    counts = {
        part: np.bincount(raw.parts[part].label, minlength=len(raw.class_names)) for part in parts
    }
    rows = [
        [name, *(f"{counts[part][index]:,}" for part in parts)]
        for index, name in enumerate(raw.class_names)
    ]
    rows.append(["all", *(f"{counts[part].sum():,}" for part in parts)])
    image = raw.parts["train"].image
    mean, deviation = moments(image)
    _, h, w, c = image.shape
    progress.table(
        f"{raw.source}: images",
        ["class", *parts],
        rows,
        f"{h} x {w} x {c}; mean {_numbers(mean)}, deviation {_numbers(deviation)}",
    )


def moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of uint8 images `[n, h, w, c]`, in [0, 1].

    From counts of the 256 values, so that no larger copy of the images is made.
    """
    values = np.arange(256) / 255.0
    means, deviations = [], []
    for channel in range(image.shape[-1]):
        counts = np.bincount(image[..., channel].ravel(), minlength=256)
        mean = np.average(values, weights=counts)
        means.append(mean)
        deviations.append(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    return np.array(means), np.array(deviations)


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.4f}" for value in values)


if __name__ == "__main__":
    cli.launch(main, define)
