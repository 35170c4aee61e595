"""Records of experiments: one JSON file each, with the command, the versions and the device."""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from kdjax.runs import writers
from kdjax.system import cli


def define(name: str | None = None) -> None:
    """Defines the flags that say where a record goes; `name` is the default of `--name`."""
    flags.DEFINE_string("name", name, "Name of the record.")
    where = "Folder of the record, as experiments/results. Default: the workdir, or runs/."
    cli.define_path("results", None, where)


def folder() -> Path:
    """The folder that records go to; it is made if it is missing."""
    workdir = flags.FLAGS.workdir if "workdir" in flags.FLAGS else "runs"
    path = Path(flags.FLAGS.results or workdir)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(module: str, name: str, record: dict[str, Any]) -> None:
    """Writes the record of `python -m MODULE`, and prints where it is."""
    from kdjax.system import runtime

    command = f"python -m {module} " + " ".join(sys.argv[1:])
    path = folder() / f"{name}.json"
    writers.write_json(path, {"command": command, **record, **runtime.environment()})
    print(f"recorded in {path}")
