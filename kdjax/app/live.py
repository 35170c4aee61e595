"""How far runs are, and the curves of their training, for the page that follows them."""

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kdjax.runs import metrics_log, workdir, writers
from kdjax.system.errors import UserError

FILE = "live.json"
_POINTS = 400
"""The largest number of points of a curve; of more, every second, third, ... is left in."""
_CURVES = 12
"""The largest number of curves in a panel, as a sweep has many."""
_OBSERVATIONS = 30
"""The number of times of the log that speed is computed from."""

Row = Mapping[str, Any]
"""A line of `metrics.jsonl`."""


class StageLength(NamedTuple):
    """A stage of a run, and how long it is."""

    name: str
    epochs: int
    steps: int
    """Optimiser steps in all epochs. Patience may end the stage earlier."""


class Follower:
    """Writes `live.json` of one run anew whenever the run's log has grown."""

    def __init__(self, directory: Path, stages: Sequence[StageLength], folder: Path):
        self._directory, self._stages, self._folder = directory, stages, folder
        self._seen: tuple[float, float] | None = None
        self._times: list[tuple[float, int]] = []
        # A server has several threads.
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Writes the file, if the log or the result has changed since the last call."""
        with self._lock:
            seen = (
                _modified(self._directory / "metrics.jsonl"),
                _modified(self._directory / "result.json"),
            )
            if seen == self._seen:
                return
            try:
                state = self._read(seen[0])
            except UserError as error:
                # The page shows the line in place of the curves; the server goes on.
                state = {"error": str(error), "finished": False, "panels": [], "stages": []}
            writers.write_json(self._folder / FILE, state, indent=None)
            self._seen = seen

    def _read(self, written: float) -> dict[str, Any]:
        rows = metrics_log.logged(self._directory)
        result = workdir.load_result(self._directory) or {"finished": False, "stages": {}}
        step = rows[-1]["step"] if rows else 0
        if rows and (not self._times or self._times[-1][1] != step):
            self._times = [*self._times, (written, step)][-_OBSERVATIONS:]
        times = self._times if len(self._times) > 1 else checkpoint_times(self._directory)
        progress = stage_progress(self._stages, rows, result["stages"])
        return {
            "error": "",
            "finished": result["finished"],
            "written": written,
            "step": step,
            "stages": progress,
            "seconds_left": None
            if result["finished"]
            else seconds_left(times, sum(stage["left"] for stage in progress)),
            "panels": panels(rows),
        }


def _modified(path: Path) -> float:
    """Seconds since 1970 at which a file was last written; 0 where there is none."""
    return path.stat().st_mtime if path.exists() else 0.0


def checkpoint_times(directory: Path) -> list[tuple[float, int]]:
    """When the run began, and the time and step of its checkpoints, in order."""
    folders = [path for path in (directory / "checkpoints").glob("*/*") if path.name.isdecimal()]
    times = sorted((path.stat().st_mtime, int(path.name)) for path in folders)
    return [(_modified(directory / "config.json"), 0), *times] if times else []


def seconds_left(times: Sequence[tuple[float, int]], steps: int) -> float | None:
    """Seconds until the end, if all steps that are left take as long as those at `times`.

    None where no two times tell a speed.
    """
    if len(times) < 2:
        return None
    (begin, first), (end, last) = times[0], times[-1]
    return steps * (end - begin) / (last - first) if end > begin and last > first else None


def stage_progress(
    stages: Sequence[StageLength], rows: Sequence[Row], finished: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """For each stage its `name`, `epochs`, `steps`, steps that are `done` and `left`, and `state`:
    "finished", "running" or "waiting"."""
    last_step: dict[str, int] = {}
    for row in rows:
        last_step[row["stage"]] = max(row["step"], last_step.get(row["stage"], 0))
    progress, first = [], 0
    for stage in stages:
        done = max(0, min(last_step.get(stage.name, first) - first, stage.steps))
        if stage.name in finished:
            state, left = "finished", 0
            first = finished[stage.name]["last_step"]
        else:
            state = "running" if stage.name in last_step else "waiting"
            left = stage.steps - done
            first += stage.steps
        progress.append({**stage._asdict(), "done": done, "left": left, "state": state})
    return progress


def panels(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Panels of curves over the run's steps: accuracies, losses, terms, and other values.

    A panel has `title`, `percent`, `networks` (whether curves are networks), `curves` and `hidden`,
    the number of curves beyond `_CURVES`. A curve has `name`, and `lines`: points `[step, value]`
    for each stage.
    """
    grouped: dict[str, dict[str, dict[str, list[list[float]]]]] = {}
    for row in rows:
        for key, value in row.items():
            if key in ("step", "stage"):
                continue
            title, name = _place(key)
            lines = grouped.setdefault(title, {}).setdefault(name, {})
            lines.setdefault(row["stage"], []).append([row["step"], value])
    order = {title: place for place, title in enumerate(_TITLES)}
    return [
        {
            "title": title,
            "percent": title.endswith("accuracy"),
            "networks": title in _TITLES[:3],
            "hidden": max(0, len(curves) - _CURVES),
            "curves": [
                {"name": name, "lines": [_thinned(line) for line in lines.values()]}
                for name, lines in list(curves.items())[:_CURVES]
            ],
        }
        for title, curves in sorted(grouped.items(), key=lambda item: order[item[0]])
    ]


_TITLES = ("Validation accuracy", "Training accuracy", "Validation loss", "Loss terms", "Schedules")


def _place(key: str) -> tuple[str, str]:
    """The panel of a metric, and the name of its curve."""
    if match := re.fullmatch(r"(val|train)/(.+)/accuracy", key):
        return _TITLES[0 if match[1] == "val" else 1], match[2]
    if match := re.fullmatch(r"val/(.+)/loss", key):
        return _TITLES[2], match[1]
    name = key.removeprefix("train/").removeprefix("val/")
    # A hyper-parameter that changes is `<term>/<name>`; the learning rate is of the stage.
    scheduled = "/" in name or name.split("@")[0] == "learning_rate"
    return _TITLES[4 if scheduled else 3], name


def _thinned(line: list[list[float]]) -> list[list[float]]:
    """A part of the points that is evenly spread, always with the last."""
    every = -(-len(line) // _POINTS)
    return line[-1::-every][::-1]
