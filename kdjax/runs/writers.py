"""Files that are written whole or not at all: JSON, CSV, arrays.

Every function raises a UserError, in one line, where the disk is full or nothing can be written.
"""

import contextlib
import csv
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.system.errors import UserError

_TENSORSTORE = re.compile(r"\[(?:os_error_code='|OS error )(\d+)")
"""How TensorStore, which writes checkpoints, quotes the system's errors."""


@contextlib.contextmanager
def writing(where: Path) -> Iterator[None]:
    """Turns the system's errors into a UserError: the file or folder `where`, and the reason."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = _system_error(error)
        if reason is None:
            raise
        raise UserError(
            f"cannot write {where}: {reason}. Mend that and run the command again, or choose "
            "another folder"
        ) from error


def _system_error(error: BaseException | None) -> str | None:
    """The system's words, where an error or one of its causes comes from the system."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        if quoted := _TENSORSTORE.search(str(error)):
            return os.strerror(int(quoted[1]))
        error = error.__cause__ or error.__context__
    return None


def make_folder(path: Path) -> None:
    """Makes a folder, where there is none."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file that takes the place of `path` once it is whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            yield fresh
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Writes a value that has no NaN."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=indent, allow_nan=False) + "\n")


def write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Writes lines; columns are in the order in which the lines have them first."""
    columns = list(dict.fromkeys(key for line in lines for key in line))
    with replacing(path) as fresh, fresh.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as `.npz`."""
    with replacing(path) as fresh, fresh.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
