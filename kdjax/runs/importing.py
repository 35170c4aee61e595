"""Makes a workdir of a weight file: its network can teach, be trained on and be evaluated."""

import contextlib
import copy
import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from kdjax.config import build, build_data
from kdjax.config.plan import Plan
from kdjax.data.store import Images
from kdjax.data.types import DataSet, Split
from kdjax.interchange.weights import convert, files, preprocessing
from kdjax.models.networks import linen
from kdjax.runs import workdir
from kdjax.runs.checkpoint import Checkpoints, Saved
from kdjax.runs.writers import make_folder, write_json, writing
from kdjax.step.types import NetState, Preprocessing, TrainState
from kdjax.system import discover, runtime
from kdjax.system.errors import UserError

NAME = "imported"
"""The network's name in its workdir."""


class Options(NamedTuple):
    """The flags of `kdjax.import_weights`, which explain each."""

    file: Path
    model: str
    workdir: Path
    classes: Path | None = None
    size: int | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    interpolation: str | None = None
    headless: bool = False


class Imported(NamedTuple):
    """An imported network, for the command to print."""

    tensors: Mapping[str, np.ndarray]
    """The file's tensors."""
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    """Empty for a network without a last layer."""
    record: dict[str, Any]
    """The network's record in `result.json`."""


def run(options: Options) -> Imported:
    """Reads and converts a weight file and writes a workdir, which is whole or not there.

    Raises:
        UserError: the file cannot be read, is not of this model, or the workdir exists.
    """
    started = time.perf_counter()
    _require_free(options.workdir)
    # The folder "." has a name only when it is resolved.
    directory = options.workdir.resolve()
    discover.model(options.model)
    images = _preprocessing(options)
    tensors = files.read(options.file)
    try:
        classes = 0 if options.headless else convert.head_classes(tensors, options.model)
        config = _config(options.model, images, classes)
        shape = images.size, images.size, len(images.mean)
        network = build.network(config, NAME, classes, shape)
        template = jax.eval_shape(network.init, jax.random.key(0))
        library = convert.library(tensors, template, options.model)
        state = convert.convert(tensors, template, options.model)
        names = _class_names(options, classes)
    except UserError as error:
        raise UserError(f"{options.file}: {error}") from error
    record = {
        "stage": workdir.IMPORT,
        "parameters": linen.count(state.params),
        "parameters_with_statistics": linen.count(state),
        "step": 0,
        "selected_by": workdir.IMPORT,
        "validation": None,
        "test": None,
        "last": {"step": 0, "validation": None, "test": None},
        "file": options.file.name,
        "sha256": _sha256(options.file),
        "names": library,
    }
    _write(directory, config, state, names, record, started)
    return Imported(tensors, images, names, record)


def describe(options: Options, imported: Imported) -> list[str]:
    """Lines that say what was imported and what can be done with it."""
    tensors, images, names = imported.tensors, imported.preprocessing, imported.class_names
    count, library = imported.record["parameters"], imported.record["names"]
    lines = [
        f"{options.file}: {len(tensors):,} tensors in the names of {library}, {count:,} parameters "
        f"of {options.model}"
    ]
    if rounded := [name for name, t in tensors.items() if t.dtype.name in ("float16", "bfloat16")]:
        more = f" and {len(rounded) - 1:,} more" if len(rounded) > 1 else ""
        lines.append(f"half precision in the file, float32 from here on: {rounded[0]}{more}")
    if names:
        numbered = "" if options.classes else "; --classes=FILE would name them"
        lines.append(f"{len(names):,} classes: {names[0]} ... {names[-1]}{numbered}")
    else:
        lines.append("no last layer: features alone")
    mean, std = (", ".join(f"{x:.4g}" for x in values) for values in images[1:3])
    lines.append(
        f"images: {images.size}x{images.size}, {images.interpolation}, mean {mean}, deviation {std}"
    )
    lines.append(f"{options.workdir} is made. What can be done with it:")
    teacher = f"--config.data.path=PATH --config.networks.teacher.workdir={options.workdir}"
    if names:
        lines.append(f"  kdjax evaluate --workdir={options.workdir} --on=PATH")
    if options.classes:
        lines.append(f"  kdjax train --config=kd:folder,train=0 {teacher}")
    lines.append(f"  kdjax train --config=finetune:folder {teacher}")
    lines.append(f"  kdjax train --config=label_free:folder {teacher}")
    return lines


def _require_free(directory: Path) -> None:
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UserError(f"{directory} exists already: choose another --workdir")


def _preprocessing(options: Options) -> Preprocessing:
    """The published preprocessing of the model's family, with the values of the flags."""
    flags: dict[str, Any] = {
        "size": options.size,
        "mean": options.mean,
        "std": options.std,
        "interpolation": options.interpolation,
    }
    values = {name: value for name, value in flags.items() if value}
    default = preprocessing.default(options.model)
    if default is None:
        if lacking := [f"--{name}" for name in flags if name not in values]:
            raise UserError(
                f"nothing is known about the images that {options.model} reads: pass "
                f"{', '.join(lacking)} as its weights were trained with"
            )
        default = Preprocessing(**values)
    images = default._replace(**values)
    if len(images.mean) != len(images.std) or len(images.mean) not in (1, 3):
        raise UserError(
            f"--mean has {len(images.mean)} numbers and --std {len(images.std)}: both take three "
            "for colour images, or one for grey images"
        )
    return images


def _class_names(options: Options, count: int) -> tuple[str, ...]:
    """The names of the file's classes, or their numbers; empty without a last layer.

    A name that comes twice is followed by the number of the class.

    Raises:
        UserError: the names in `--classes` are not as many, or a line is empty.
    """
    path = options.classes
    if path is None:
        return tuple(map(str, range(count)))
    if not count:
        raise UserError("--classes names classes, and the network has no last layer: leave it out")
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text file in UTF-8") from error
    names = [line.strip() for line in lines]
    if len(names) != count:
        raise UserError(
            f"{path} has {len(names):,} names, one a line, and the file has {count:,} classes"
        )
    for index, name in enumerate(names):
        if not name:
            raise UserError(f"{path}: line {index + 1} is empty: every class needs a name")
    # ImageNet has two classes "crane", a bird and a machine.
    return tuple(
        f"{name} ({index})" if names.count(name) > 1 else name for index, name in enumerate(names)
    )


def _config(model: str, images: Preprocessing, classes: int) -> ConfigDict:
    from configs import base, parts

    config = base.get_config(method=workdir.IMPORT, dataset="folder")
    config.data.size, config.data.normalisation = images.size, "dataset"
    config.data.mean, config.data.std = images.mean, images.std
    entry = parts.network(model=model)
    entry.classes = classes
    entry.preprocessing = ConfigDict(images._asdict())
    config.networks[NAME] = entry
    return config


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write(
    directory: Path,
    config: ConfigDict,
    state: NetState,
    names: tuple[str, ...],
    record: dict[str, Any],
    started: float,
) -> None:
    fresh = directory.with_name(f".{directory.name}.{os.getpid()}")
    make_folder(fresh)
    try:
        workdir.write_config(config, fresh)
        split = {"content": "", "class_names": list(names), "multi_label": False, "ids": {}}
        write_json(fresh / "split.json", split)
        with contextlib.closing(Checkpoints(fresh, workdir.IMPORT)) as checkpoints:
            trained = TrainState(jnp.int32(0), {NAME: jax.tree.map(jnp.asarray, state)}, {}, {})
            progress = {"selected": {}, "layout": "jit", "batches": 0}
            checkpoints.save(0, Saved(trained, {}, progress))
        stage = {
            "first_step": 0,
            "last_step": 0,
            "epochs": 0,
            "seconds": round(time.perf_counter() - started, 3),
            "networks": {NAME: record},
        }
        result = {
            "finished": True,
            "method": workdir.IMPORT,
            "seed": config.seed,
            "data": {"name": "", "source": "", "content": "", "size": config.data.size},
            "networks": {NAME: record},
            "stages": {workdir.IMPORT: stage},
            "restored": {},
            **runtime.environment(),
        }
        write_json(fresh / "result.json", result)
        with writing(directory):
            os.replace(fresh, directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def plan(directory: Path, config: ConfigDict, path: str | None) -> Plan:
    """A plan that evaluates an imported network on the labelled images at `path`.

    Raises:
        UserError: there is no path, the network has no last layer, or the images have a class that
            the network does not have.
    """
    from configs import parts

    names = workdir.class_names(directory)
    if not names:
        raise UserError(f"{directory}: the imported network has no last layer, so no predictions")
    if path is None:
        raise UserError(
            f"{directory} is an imported network, without images of its own: name a labelled set "
            "of its classes with --on=PATH"
        )
    shape = 0, config.data.size, config.data.size, len(config.data.mean)
    none = np.zeros(0, np.int32)
    own = DataSet({"all": Split(Images([np.zeros(shape, np.uint8)]), none, none)}, names, "")
    data = build_data.other_set(config.data, path, own)
    # The stage that the checkpoint belongs to; nothing trains it.
    config = copy.deepcopy(config)
    config.batch_size = 1
    terms = {"ce": parts.ce(config, network=NAME)}
    config.stages[workdir.IMPORT] = parts.stage(config, train=(NAME,), terms=terms)
    config.stage_order = [workdir.IMPORT]
    return build.plan(config, 1, data._replace(splits={"train": data.splits["all"]}))
