"""The metrics of a run's training: `metrics.jsonl`, one object a line, and TensorBoard's events.

Functions that write raise a UserError where the disk is full or nothing can be written there;
functions that read, where a line that is not the last is damaged.
"""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kdjax.runs.writers import replacing, writing
from kdjax.system.errors import UserError


class Metrics:
    """Appends to a workdir's `metrics.jsonl` and events.

    Lines of a run that was cut off after its last checkpoint are dropped first: the resumed run
    writes them again.
    """

    def __init__(self, workdir: Path, *, steps: Mapping[str, int], tensorboard: bool):
        """`steps`: for every stage that has a checkpoint, its step; lines up to there are kept."""
        self._workdir = workdir
        lines = logged(workdir)
        kept = [line for line in lines if line["step"] <= steps.get(line.get("stage", ""), -1)]
        with replacing(_path(workdir)) as fresh:
            fresh.write_text("".join(f"{json.dumps(line)}\n" for line in kept))
        self._events = None
        with writing(workdir):
            self._file = _path(workdir).open("a")
            if tensorboard:
                from tensorboardX.event_file_writer import EventsWriter
                from tensorboardX.proto.event_pb2 import SessionLog

                # One file for each start; TensorBoard drops what it had from its step on. Not
                # SummaryWriter: when its thread cannot write, it ends, and the run waits for it.
                self._events = EventsWriter(str(workdir / "events"))
                latest = max(steps.values(), default=0)
                self._event(latest + 1, session_log=SessionLog(status=SessionLog.START))

    def write(self, step: int, stage: str, values: Mapping[str, float]) -> None:
        """One line: the run's step, the stage, and metrics under flat names."""
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


def logged(workdir: Path) -> list[dict[str, Any]]:
    """The whole lines of `metrics.jsonl`, each with a step; none where there is no file."""
    path = _path(workdir)
    # After the last line break is a line that was cut off while it was written, or nothing.
    *whole, _ = path.read_text().split("\n") if path.exists() else [""]
    lines = []
    for number, text in enumerate(whole, start=1):
        try:
            lines.append(json.loads(text))
            _ = lines[-1]["step"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}, line {number} is damaged: {text[:80]!r}; remove it"
            ) from error
    return lines


def cut_off(workdirs: Iterable[Path]) -> list[str]:
    """A line for each run whose last line of `metrics.jsonl` is cut off, and so not in `logged`."""
    return [
        f"{path}: its last line is cut off and left out"
        for path in map(_path, workdirs)
        if path.exists() and path.read_text().rpartition("\n")[2]
    ]


def _path(workdir: Path) -> Path:
    return workdir / "metrics.jsonl"
