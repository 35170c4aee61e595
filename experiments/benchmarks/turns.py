"""Pieces of work that take turns, so that a change of the machine's speed touches all of them."""

import time
from collections.abc import Callable

from kdjax import progress

Steps = Callable[[int], None]
"""Does so many steps and waits for them."""


def take_turns(
    case: str, sides: dict[str, Steps], *, rounds: int, seconds: float
) -> dict[str, list[float]]:
    """Seconds a step of every side in every round, after warming up."""
    counts = {}
    for name, steps in sides.items():
        steps(2)
        began = time.perf_counter()
        steps(1)
        counts[name] = max(1, round(seconds / (time.perf_counter() - began)))
    found: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    total = rounds * len(names)
    turns = ((number, place) for number in range(rounds) for place in range(len(names)))
    for number, place in progress.track(turns, total, case):
        # Different sides come first in different rounds.
        name = names[(place + number) % len(names)]
        sides[name](1)
        began = time.perf_counter()
        sides[name](counts[name])
        found[name].append((time.perf_counter() - began) / counts[name])
    return found
