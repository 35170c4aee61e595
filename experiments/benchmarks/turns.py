"""Pieces of work that take turns, so that a change of the machine's speed touches all of them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from kdjax.system import discover, progress

Steps = Callable[[int], float]
"""Does this many steps or a few more, waits for them, and returns how many it did."""


def define(cases: Sequence[str]) -> None:
    """Defines the flags of a benchmark; `cases` are those that run by default."""
    flags.DEFINE_list("cases", list(cases), "Which ones.")
    flags.DEFINE_integer("rounds", 5, "Rounds; medians are taken over them.", 1)
    flags.DEFINE_float("seconds", 2.0, "About how long each side runs in a round.")


def cases(known: Sequence[str]) -> list[str]:
    """The cases that `--cases` names.

    Raises:
        UserError: one of them is unknown.
    """
    for case in flags.FLAGS.cases:
        if case not in known:
            raise discover.unknown("case", case, known)
    return flags.FLAGS.cases


def measure(
    title: str, sides: Mapping[str, Steps], *, rounds: int, seconds: float = 0.0, steps: int = 0
) -> dict[str, list[float]]:
    """Seconds per step of every side in every round, after warming up.

    Args:
        title: shown beside the bar.
        sides: the pieces of work by name.
        rounds: the turns that each side has.
        seconds: about how long a side runs in a round, where `steps` is 0.
        steps: the steps of a side in a round.
    """
    counts = {}
    for name, side in sides.items():
        side(2)
        counts[name] = steps or max(1, round(seconds / _seconds_per_step(side, 1)))
    taken: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    turns = ((number, place) for number in range(rounds) for place in range(len(names)))
    for number, place in progress.track(turns, rounds * len(names), title):
        # Another side comes first in every round.
        name = names[(place + number) % len(names)]
        sides[name](1)
        taken[name].append(_seconds_per_step(sides[name], counts[name]))
    return taken


def _seconds_per_step(side: Steps, count: int) -> float:
    began = time.perf_counter()
    done = side(count)
    return (time.perf_counter() - began) / done


def against(seconds: Sequence[float], base: Sequence[float]) -> dict[str, Any]:
    """Median seconds, and the median and the range of the ratio to `base` within a round."""
    ratios = [side / other for side, other in zip(seconds, base, strict=True)]
    return {
        "seconds": statistics.median(seconds),
        "ratio": statistics.median(ratios),
        "range": [min(ratios), max(ratios)],
    }


def cells(row: Mapping[str, Any]) -> list[str]:
    """The cells of a table for a result of `against`: milliseconds, ratio and range."""
    low, high = row["range"]
    return [f"{1e3 * row['seconds']:.1f}", f"{row['ratio']:.2f}", f"{low:.2f} to {high:.2f}"]
