"""What a run leaves on disk beside checkpoints: JSON, JSON lines, TensorBoard events."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kdjax.errors import UserError


def make_folder(path: Path) -> None:
    """Makes a folder, where there is none.

    Raises:
        UserError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror}") from error


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Writes all of it or nothing."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value, indent=indent, allow_nan=False) + "\n")
    os.replace(fresh, path)


def write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """All of it or nothing; columns in the order in which lines bring them up."""
    columns = list(dict.fromkeys(key for line in lines for key in line))
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
    os.replace(fresh, path)


class Metrics:
    """Appends to `metrics.jsonl`, one object a line, and to TensorBoard's events.

    Lines of a run that was cut off after its last checkpoint are dropped first: the resumed run
    writes them again.
    """

    def __init__(self, workdir: Path, *, steps: Mapping[str, int], tensorboard: bool):
        """`steps`: for every stage that has a checkpoint, its step; lines up to there are kept."""
        path = workdir / "metrics.jsonl"
        kept = [
            line
            for number, line in _lines(path)
            if _step(path, number, line) <= steps.get(json.loads(line).get("stage"), -1)
        ]
        fresh = path.with_name(".metrics.jsonl")
        fresh.write_text("".join(f"{line}\n" for line in kept))
        os.replace(fresh, path)
        self._file = path.open("a")
        self._events = None
        if tensorboard:
            from tensorboardX import SummaryWriter

            latest = max(steps.values(), default=0)
            # One writer for each start; TensorBoard drops what it had past `purge_step`.
            self._events = SummaryWriter(str(workdir), purge_step=latest + 1)

    def write(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        """One line: the run's step, the stage, and figures under flat names."""
        self._file.write(json.dumps({"step": step, "stage": stage, **values}) + "\n")
        self._file.flush()
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(name, value, step)

    def close(self) -> None:
        self._file.close()
        if self._events is not None:
            self._events.close()


def logged(directory: Path) -> list[dict[str, Any]]:
    """What `metrics.jsonl` holds; nothing where there is none.

    Raises:
        UserError: a line that is not its last is damaged.
    """
    path = directory / "metrics.jsonl"
    found = []
    for number, line in _lines(path):
        _step(path, number, line)
        found.append(json.loads(line))
    return found


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbers and texts of whole lines: the last one may have been cut off while it was written."""
    if not path.exists():
        return []
    *whole, _ = path.read_text().split("\n")
    return list(enumerate(whole, start=1))


def _step(path: Path, number: int, line: str) -> int:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}, line {number} is damaged: {line[:80]!r}; remove it") from error
