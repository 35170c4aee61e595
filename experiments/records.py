"""Records of experiments: a JSON file each, with the command that made it."""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from kdjax.runs import writers
from kdjax.system import cli


def define(name: str | None = None) -> None:
    """The flags that say where a record goes, with the name that it has by default."""
    flags.DEFINE_string("name", name, "Name of the record.")
    where = "Folder of the record, as experiments/results. Default: the workdir, or runs/."
    cli.define_path("results", None, where)


def folder() -> Path:
    """Where records go; made if it is missing."""
    workdir = flags.FLAGS.workdir if "workdir" in flags.FLAGS else "runs"
    found = Path(flags.FLAGS.results or workdir)
    found.mkdir(parents=True, exist_ok=True)
    return found


def write(module: str, name: str, record: dict[str, Any]) -> None:
    """Writes what a module found, after its command, and says where."""
    command = f"python -m {module} " + " ".join(sys.argv[1:])
    path = folder() / f"{name}.json"
    writers.write_json(path, {"command": command, **record})
    print(f"recorded in {path}")
