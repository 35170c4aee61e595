"""Predictions of one network on new image files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from kdjax.data.files.images import decode, suffixes
from kdjax.data.types import Request
from kdjax.interchange import serving
from kdjax.interchange.serving import PROBABILITIES, ExportedFile
from kdjax.runs import writers
from kdjax.runs.loaded import load_network
from kdjax.system import discover, progress
from kdjax.system.errors import UserError
from kdjax.system.progress import Bar, console

_FORMATS = "kdjax.interchange.formats"
_BATCH = 32
_SHOWN = 50
"""The largest number of images that the table shows."""

Record = dict[str, Any]
"""`network` (its name), `class_names`, `multi_label`; `images`, each with its `image` and its
`probabilities` in the order of the names; `unread`, each with its `image` and the `reason`."""


def of_workdir(directory: Path, name: str = "") -> ExportedFile:
    """A network of a workdir as an exported file would be."""
    loaded = load_network(directory, name)
    metadata = serving.metadata(loaded, {})
    return _require_classes(ExportedFile(metadata, serving.compiled(loaded)), str(directory))


def of_file(path: Path) -> ExportedFile:
    """An exported file of any format.

    Raises:
        UserError: its name ends in no suffix of a format, or it cannot be read.
    """
    forms = [discover.module(_FORMATS, name, "format") for name in discover.names(_FORMATS)]
    for form in forms:
        if path.name.endswith(form.SUFFIX):
            return _require_classes(form.read(path), str(path))
    ends = ", ".join(form.SUFFIX for form in forms)
    raise UserError(f"{path}: names of exported files end in {ends}")


def _require_classes(network: ExportedFile, source: str) -> ExportedFile:
    if not network.metadata["class_names"]:
        raise UserError(f"{source}: the network has no last layer, and so no classes")
    return network


def predict(network: ExportedFile, paths: Sequence[Path]) -> Record:
    """The probabilities of all images of files and folders; a file that is no image is named."""
    files = list(_files(paths))
    height, _, channels = network.metadata["input"]["shape"]
    request = Request("", "", height, channels, network.metadata["input"]["crop"])
    predicted: list[dict[str, Any]] = []
    unread: list[dict[str, str]] = []
    with Bar("predicting", len(files)) as bar:
        for begin in range(0, len(files), _BATCH):
            names, decoded = [], []
            for path in files[begin : begin + _BATCH]:
                try:
                    decoded.append(decode(path.read_bytes(), request))
                    names.append(str(path))
                except (OSError, ValueError) as error:
                    reason = error.strerror if isinstance(error, OSError) else str(error)
                    unread.append({"image": str(path), "reason": str(reason)})
                    console.print(f"{path}: {reason}", soft_wrap=True)
            if decoded:
                probabilities = _probabilities(network, np.stack(decoded))
                for name, values in zip(names, probabilities, strict=True):
                    predicted.append({"image": name, "probabilities": values.tolist()})
            bar.to(min(begin + _BATCH, len(files)))
    return {
        "network": network.metadata["network"],
        "class_names": network.metadata["class_names"],
        "multi_label": network.metadata["multi_label"],
        "images": predicted,
        "unread": unread,
    }


def _probabilities(network: ExportedFile, image: np.ndarray) -> np.ndarray:
    """`[b, k]`; a smaller batch is padded, so that nothing is compiled for its size."""
    padded = np.concatenate([image, np.repeat(image[-1:], _BATCH - len(image), axis=0)])
    return np.asarray(jax.device_get(network.run(padded)[PROBABILITIES]))[: len(image)]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that are named, and the images of folders; a file that is not there as well.

    Raises:
        UserError: a folder has no image.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = [
            file
            for file in sorted(path.rglob("*"))
            if file.suffix.lower() in suffixes()
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
        if not inside:
            raise UserError(f"{path} has no images")
        yield from inside


def answers(
    record: Record, probabilities: Sequence[float], *, top: int, threshold: float
) -> list[tuple[str, float]]:
    """Names with their probabilities, the largest first: the `top` classes, or the attributes that
    are at least as probable as the threshold."""
    named = zip(record["class_names"], probabilities, strict=True)
    ordered = sorted(named, key=lambda pair: -pair[1])
    if record["multi_label"]:
        return [(name, value) for name, value in ordered if value >= threshold]
    return ordered[:top]


def show(record: Record, *, top: int, threshold: float) -> None:
    """Prints a table with a row for each image."""
    shown = record["images"][:_SHOWN]
    if not shown:
        return
    several = record["multi_label"]
    count = 1 if several else min(top, len(record["class_names"]))
    rows = []
    for image in shown:
        best = answers(record, image["probabilities"], top=top, threshold=threshold)
        cells = [f"{name} {value:.1%}" for name, value in best]
        rows.append([image["image"], *([", ".join(cells) or "none"] if several else cells)])
    names = ["attributes"] if several else [f"class {place}" for place in range(1, count + 1)]
    more = len(record["images"]) - len(shown)
    caption = f"and {more:,} more in the files" if more else ""
    progress.table(record["network"], ["image", *names], rows, caption)


def write(record: Record, output: Path, *, top: int, threshold: float) -> None:
    """Writes `<output>.json`, the record with the `answers` to every image, and `<output>.csv`, a
    line for each image and answer."""
    images, lines = [], []
    for image in record["images"]:
        best = [
            {"class": name, "probability": value}
            for name, value in answers(record, image["probabilities"], top=top, threshold=threshold)
        ]
        images.append({**image, "answers": best})
        lines += [
            {"image": image["image"], "place": place, **answer}
            for place, answer in enumerate(best, start=1)
        ]
    writers.write_json(output.with_name(f"{output.name}.json"), record | {"images": images})
    writers.write_csv(output.with_name(f"{output.name}.csv"), lines)
    console.print(f"{output}.json, {output}.csv", soft_wrap=True)
