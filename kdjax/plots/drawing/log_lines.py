"""Lines over the optimiser's steps, read from a run's `metrics.jsonl`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Line = tuple[np.ndarray, np.ndarray]
"""Steps and values, `[n]` each; a value is NaN where one stage ends and the next begins."""
Rows = Sequence[Mapping[str, Any]]
"""The rows of `metrics.jsonl`, in its order."""


def read(rows: Rows, pattern: str, scale: float = 1.0) -> dict[str, Line]:
    """The lines whose keys match a pattern, in the order in which they begin.

    The pattern is a regular expression for the whole key; its group names the line. Every value is
    multiplied by `scale`.
    """
    points: dict[str, list[tuple[float, float]]] = {}
    stages: dict[str, str] = {}
    for row in rows:
        for key, value in row.items():
            if match := re.fullmatch(pattern, key):
                line = points.setdefault(match[1], [])
                if line and row["stage"] != stages[key]:
                    line.append((line[-1][0], np.nan))
                stages[key] = row["stage"]
                line.append((row["step"], scale * value))
    arrays = {name: np.asarray(line, np.float64) for name, line in points.items()}
    return {name: (line[:, 0], line[:, 1]) for name, line in arrays.items()}


def stage_starts(rows: Rows) -> dict[str, float]:
    """The step at which each stage begins: where the stage before it ended, 0 for the first."""
    starts: dict[str, float] = {}
    last = 0.0
    for row in rows:
        starts.setdefault(row["stage"], last)
        last = float(row["step"])
    return starts


def split_term(term: str, networks: Iterable[str]) -> tuple[str, str | None]:
    """A term's name as its kind and the network behind that: `ce_peer_0` as `ce` and `peer_0`.

    Of networks that begin at the same letter it is the longest name; a name without a network is
    the kind, with None.
    """
    places = [(term.find(f"_{name}"), -len(name), name) for name in networks if f"_{name}" in term]
    if not places:
        return term, None
    place, _, network = min(places)
    return term[:place], network
