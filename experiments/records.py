"""Records of experiments: a JSON file each, with the command that made it."""

import sys
from pathlib import Path
from typing import Any

from absl import flags

from kdjax import writers


def define(name: str | None = None) -> None:
    """The flags that say where a record goes, with the name that it has by default."""
    flags.DEFINE_string("name", name, "Name of the record.")
    flags.DEFINE_string("results", "experiments/results", "Where the record goes.")


def folder() -> Path:
    """Where records go; made if it is missing."""
    found = Path(flags.FLAGS.results)
    found.mkdir(parents=True, exist_ok=True)
    return found


def write(module: str, name: str, record: dict[str, Any]) -> None:
    """Writes what a module found, after its command."""
    command = f"python -m {module} " + " ".join(sys.argv[1:])
    writers.write_json(folder() / f"{name}.json", {"command": command, **record})
