"""Exports of a run's networks, each checked against the network that it came from."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from kdjax.config import build_data
from kdjax.data.store import Images
from kdjax.data.types import Split
from kdjax.evaluation import programs
from kdjax.evaluation.programs import ImageSet, Program
from kdjax.interchange import int8, onnx_file, serving
from kdjax.interchange.formats import onnx
from kdjax.runs import importing, workdir, writers
from kdjax.runs.loaded import load_network
from kdjax.step.types import LoadedNetwork
from kdjax.system import discover, packages, progress, runtime
from kdjax.system.errors import UserError

RANDOM_IMAGES = 256
"""The number of images of noise on which a network without test images is checked."""


class Options(NamedTuple):
    """The flags of `kdjax.export`, which explain each."""

    workdir: Path
    network: str = ""
    format: str = "onnx"
    int8: bool = False
    features: Sequence[str] = ()
    output: Path | None = None
    images: int | None = None
    calibration_images: int = 512
    beside: Path | None = None
    teacher: str = "teacher"
    timing: bool = True
    data_dir: str | None = None
    path: str | None = None


def export_onnx(loaded: LoadedNetwork, path: Path, *, features: Sequence[str] = ()) -> None:
    """Writes a network as an ONNX file of uint8 images in, logits, probabilities and features out.

    Raises:
        UserError: a package is missing, the network has no such feature, or nothing can be written.
    """
    packages.require(onnx.PACKAGES, "an ONNX file")
    content = onnx.encode(loaded, features)
    with writers.replacing(path) as fresh:
        fresh.write_bytes(content)


def export(options: Options) -> dict[str, Any]:
    """Exports a network, checks the file, and writes it with a record beside it, `<file>.json`.

    Returns:
        The record: `file`, `format`, `device`, `images` (how many, and which),
        `calibration_images`, `metadata`, and `rows`: the `name` of every program with its values of
        `programs.compare` and `programs.times`.

    Raises:
        UserError: there is no such run, network, format or feature, a package is missing, or the
            file does not compute what the network computes.
    """
    form = discover.module("kdjax.interchange.formats", options.format, "format")
    if options.int8 and form is not onnx:
        raise UserError(f"--int8 is for --format=onnx, not {options.format}")
    packages.require(form.PACKAGES, f"--format={options.format}")
    loaded = load_network(options.workdir, options.network)
    suffix = f".int8{form.SUFFIX}" if options.int8 else form.SUFFIX
    path = options.output or options.workdir / f"{loaded.name}{suffix}"
    images = _images(options, loaded)
    progress.console.print(f"{loaded.name}: converting to {options.format}")
    content = form.encode(loaded, options.features)
    file_content = int8.quantise(content, images.calibration) if options.int8 else content
    with writers.replacing(path) as fresh:
        fresh.write_bytes(file_content)
        written = form.read(fresh)
        network = _flax(loaded, options.features, loaded.name)
        name = f"{loaded.name}, {form.RUNS_IN}"
        if options.int8:
            exact = onnx_file.from_bytes(content, name)
            compared = [
                Program(name, exact.run, len(content), network.name, is_exact=True),
                Program(f"{name} int8", written.run, len(file_content), network.name),
            ]
        else:
            compared = [Program(name, written.run, len(content), network.name, is_exact=True)]
        compared = [network, *compared, *_beside(options, loaded, images)]
        compared += _teacher(options, loaded)
        rows = programs.compare(compared, images)
    times = programs.times(compared, images) if options.timing else {}
    record = {
        "file": str(path),
        "format": options.format,
        "device": runtime.devices(),
        "images": {"count": len(images.image), "kind": images.kind},
        "calibration_images": len(images.calibration),
        "metadata": written.metadata,
        "rows": [{"name": name, **row, **times.get(name, {})} for name, row in rows.items()],
    }
    writers.write_json(path.with_name(f"{path.name}.json"), record)
    return record


def show(record: Mapping[str, Any]) -> None:
    """Prints the table of an export, and what was checked."""
    batch = record["rows"][0].get("throughput_batch")
    columns = ["program", "kB", "accuracy", "largest difference", "equal predictions"]
    if batch:
        columns += ["ms at batch 1", f"images/s at batch {batch}"]
    rows = []
    for row in record["rows"]:
        difference, equal = row["largest_difference"], row["equal_predictions"]
        cells = [
            row["name"],
            f"{row['kilobytes']:,.0f}",
            "" if row["accuracy"] is None else f"{row['accuracy']:.2%}",
            "" if difference is None else f"{difference:.1e}",
            "" if equal is None else f"{equal:.2%}",
        ]
        if batch:
            cells += [f"{row['latency_median']:.2f}", f"{row['throughput']:,.0f}"]
        rows.append(cells)
    images = record["images"]
    caption = f"Compared on {images['count']:,} {images['kind']}; {record['device']}."
    if record["calibration_images"]:
        caption += f" Calibrated on {record['calibration_images']:,} training images."
    progress.table(record["file"], columns, rows, caption)


def _flax(loaded: LoadedNetwork, features: Sequence[str], name: str) -> Program:
    """The network itself, as this process runs it; without a last layer, its features."""
    if not (loaded.class_names or features):
        features = serving.feature_names(loaded)
    nbytes = sum(leaf.nbytes for leaf in jax.tree.leaves(loaded.state))
    return Program(f"{name}, Flax compiled", serving.compiled(loaded, features), nbytes)


def _beside(options: Options, loaded: LoadedNetwork, images: ImageSet) -> Iterator[Program]:
    """The network of the same name of another run, exported alike."""
    if options.beside is None:
        return
    other = load_network(options.beside, loaded.name)
    if (other.class_names, other.image_shape) != (loaded.class_names, loaded.image_shape):
        raise UserError(f"{options.beside} has other classes or another image size: drop --beside")
    name = f"{other.name} of {options.beside}"
    network = _flax(other, (), name)
    yield network
    if options.int8:
        content = int8.quantise(onnx.encode(other), images.calibration)
        file = onnx_file.from_bytes(content, name)
        yield Program(f"{name}, {onnx.RUNS_IN} int8", file.run, len(content), network.name)


def _teacher(options: Options, loaded: LoadedNetwork) -> Iterator[Program]:
    """The run's teacher, on the images that the exported network reads."""
    name = options.teacher
    config = workdir.load_config(options.workdir)
    if not name or name == loaded.name or name not in config.networks:
        return
    try:
        teacher = load_network(options.workdir, name)
    except UserError as error:
        # The exported network does not need it.
        progress.console.print(f"the table has no {name}: {error}", soft_wrap=True)
        return
    if teacher.class_names != loaded.class_names:
        # Its predictions cannot be compared, but its size and times can.
        teacher = teacher._replace(class_names=())
    yield _flax(teacher._replace(image_shape=loaded.image_shape), (), name)


def _images(options: Options, loaded: LoadedNetwork) -> ImageSet:
    """The run's test images, or training images of a run without labels; noise for an import."""
    config = workdir.load_config(options.workdir)
    if config.method == workdir.IMPORT and (options.path is None or not loaded.class_names):
        if options.int8:
            raise UserError(
                f"{options.workdir} is an imported network, without images of its own, and --int8 "
                "needs images: name a labelled set of its classes with --path=PATH"
            )
        rng = np.random.default_rng(0)
        shape = (options.images or RANDOM_IMAGES, *loaded.image_shape)
        noise = rng.integers(0, 256, shape, dtype=np.uint8)
        kind = "images of noise, as an import has no images"
        return ImageSet(kind, Images([noise]), None, loaded.multi_label, noise[:0])
    test, train = _splits(options, config)
    kind, labels = "test images", True
    if config.data.name == "unlabelled":
        kind, labels = "training images without labels", False
    test = test.rows(np.arange(min(options.images or len(test.id), len(test.id))))
    wanted = min(options.calibration_images, len(train.id)) if options.int8 else 0
    drawn = np.random.default_rng(0).permutation(len(train.id))[:wanted]
    # In the order in which they lie on disk.
    calibration = train.image.read(np.sort(drawn))
    label = test.label if labels and loaded.class_names else None
    return ImageSet(kind, test.image, label, loaded.multi_label, calibration)


def _splits(options: Options, config: ConfigDict) -> tuple[Split, Split]:
    """The test images, and the training images; of an import, both are those at `--path`."""
    if config.method == workdir.IMPORT:
        every = importing.plan(options.workdir, config, options.path).data.splits["train"]
        return every, every
    if options.data_dir is not None:
        config.data.data_dir = options.data_dir
    if options.path is not None:
        config.data.path = options.path
    data = build_data.load_data(config)
    workdir.check_split(options.workdir, data)
    # A set without labels has training images alone.
    return data.splits.get("test", data.splits["train"]), data.splits["train"]
