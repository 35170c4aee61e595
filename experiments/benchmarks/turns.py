"""Pieces of work that take turns, so that a change of the machine's speed touches all of them."""

import time
from collections.abc import Callable, Sequence

from absl import flags

from kdjax.system import discover, progress

Steps = Callable[[int], float]
"""Does so many steps or a few more, waits for them, and says how many."""


def define(cases: Sequence[str]) -> None:
    """The flags of a benchmark that has these cases unless others are named."""
    flags.DEFINE_list("cases", list(cases), "Which ones.")
    flags.DEFINE_integer("rounds", 5, "Rounds; medians are taken over them.", 1)
    flags.DEFINE_float("seconds", 2.0, "About how long each side runs in a round.")


def cases(known: Sequence[str]) -> list[str]:
    """Those that `--cases` names.

    Raises:
        UserError: one of them is unknown.
    """
    for case in flags.FLAGS.cases:
        if case not in known:
            raise discover.unknown("case", case, known)
    return flags.FLAGS.cases


def take(case: str, sides: dict[str, Steps]) -> dict[str, list[float]]:
    """Seconds a step of every side in every round, after warming up."""
    rounds, seconds = flags.FLAGS.rounds, flags.FLAGS.seconds
    counts = {}
    for name, steps in sides.items():
        steps(2)
        began = time.perf_counter()
        done = steps(1)
        counts[name] = max(1, round(seconds * done / (time.perf_counter() - began)))
    found: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    total = rounds * len(names)
    turns = ((number, place) for number in range(rounds) for place in range(len(names)))
    for number, place in progress.track(turns, total, case):
        # Different sides come first in different rounds.
        name = names[(place + number) % len(names)]
        sides[name](1)
        began = time.perf_counter()
        done = sides[name](counts[name])
        found[name].append((time.perf_counter() - began) / done)
    return found
