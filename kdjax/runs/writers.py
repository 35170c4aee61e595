"""What a run leaves on disk beside checkpoints: JSON, JSON lines, TensorBoard events."""

import contextlib
import csv
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.system.errors import UserError

_TENSORSTORE = re.compile(r"\[(?:os_error_code='|OS error )(\d+)")
"""How TensorStore, which writes checkpoints, quotes the system's errors."""


@contextlib.contextmanager
def writing(where: Path) -> Iterator[None]:
    """Says in one line what cannot be written, and why.

    Args:
        where: the file or folder that is written to.

    Raises:
        UserError: the disk is full, or nothing can be written there.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = _refusal(error)
        if reason is None:
            raise
        raise UserError(
            f"cannot write {where}: {reason}. Mend that and run the command again, or choose "
            "another folder"
        ) from error


def _refusal(error: BaseException | None) -> str | None:
    """What the system said, where an error or one that led to it comes from there."""
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        if told := _TENSORSTORE.search(str(error)):
            return os.strerror(int(told[1]))
        error = error.__cause__ or error.__context__
    return None


def make_folder(path: Path) -> None:
    """Makes a folder, where there is none.

    Raises:
        UserError: it cannot be made.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file that takes the place of `path` once it is whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            yield fresh
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)


def write_json(path: Path, value: Any, *, indent: int | None = 2) -> None:
    """Writes all of it or nothing.

    Raises:
        UserError: the disk is full, or nothing can be written there.
    """
    with _replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=indent, allow_nan=False) + "\n")


def write_csv(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """All of it or nothing; columns in the order in which lines bring them up.

    Raises:
        UserError: the disk is full, or nothing can be written there.
    """
    columns = list(dict.fromkeys(key for line in lines for key in line))
    with _replacing(path) as fresh, fresh.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays by name as `.npz`; all of it or nothing."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(fresh, path)


class Metrics:
    """Appends to `metrics.jsonl`, one object a line, and to TensorBoard's events.

    Lines of a run that was cut off after its last checkpoint are dropped first: the resumed run
    writes them again.
    """

    def __init__(self, workdir: Path, *, steps: Mapping[str, int], tensorboard: bool):
        """`steps`: for every stage that has a checkpoint, its step; lines up to there are kept."""
        self._workdir = workdir
        path = workdir / "metrics.jsonl"
        kept = [
            line
            for number, line in _lines(path)
            if _step(path, number, line) <= steps.get(json.loads(line).get("stage"), -1)
        ]
        with _replacing(path) as fresh:
            fresh.write_text("".join(f"{line}\n" for line in kept))
        self._events = None
        with writing(workdir):
            self._file = path.open("a")
            if tensorboard:
                from tensorboardX.event_file_writer import EventsWriter
                from tensorboardX.proto.event_pb2 import SessionLog

                # One file for each start; TensorBoard drops what it had from its step on. Not
                # SummaryWriter: when its thread cannot write, it ends, and the run waits for it.
                self._events = EventsWriter(str(workdir / "events"))
                latest = max(steps.values(), default=0)
                self._event(latest + 1, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        """One line: the run's step, the stage, and figures under flat names.

        Raises:
            UserError: the disk is full, or nothing can be written there.
        """
        with writing(self._workdir):
            self._file.write(json.dumps({"step": step, "stage": stage, **values}) + "\n")
            self._file.flush()
            if self._events is not None:
                from tensorboardX import summary

                for name, value in values.items():
                    self._event(step, summary=summary.scalar(name, value))
                self._events.flush()

    def _event(self, step: int, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        assert self._events is not None
        self._events.write_event(Event(wall_time=time.time(), step=step, **content))

    def close(self) -> None:
        with writing(self._workdir):
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


def cut_off(directories: Iterable[Path]) -> list[str]:
    """Says of which runs the last line of `metrics.jsonl` is not whole, and so not in `logged`."""
    paths = [directory / "metrics.jsonl" for directory in directories]
    return [
        f"{path}: its last line is cut off and left out"
        for path in paths
        if path.exists() and path.read_text().rpartition("\n")[2]
    ]


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
