"""The figures of a run's `metrics.jsonl`, as lines over the optimiser's steps."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Line = tuple[np.ndarray, np.ndarray]
"""Steps and values, `[n]` each; NaN where one stage ends and the next begins."""


class Curves(NamedTuple):
    """Lines by the name of a term or a network, in the order in which they begin."""

    loss: Line
    """The weighted sum of the terms, which is minimised."""
    terms: dict[str, Line]
    """Unweighted."""
    training: dict[str, Line]
    """Accuracy of each network, in percent."""
    validation: dict[str, Line]
    """Accuracy of each network, in percent."""
    validation_loss: dict[str, Line]
    """Cross-entropy of each network, in nats."""
    learning_rate: Line
    weights: dict[str, Line]
    """Of terms whose weight has a schedule."""
    temperatures: dict[str, Line]
    """Of terms whose temperature has a schedule."""
    stages: dict[str, float]
    """The step before each stage's first."""


def read(rows: Sequence[Mapping[str, Any]]) -> Curves:
    """Sorts what rows hold by what it is.

    Args:
        rows: of `metrics.jsonl`, in its order.
    """
    named: dict[str, Line] = {}
    for key in dict.fromkeys(key for row in rows for key in row):
        if key not in ("step", "stage"):
            named[key] = _line(rows, key)
    parts = {tuple(key.split("/")): line for key, line in named.items()}

    def third(first: str, last: str, scale: float = 1.0) -> dict[str, Line]:
        """Lines `<first>/<name>/<last>` by their name."""
        return {
            key[1]: (line[0], scale * line[1])
            for key, line in parts.items()
            if len(key) == 3 and key[0] == first and key[2] == last
        }

    own = ("loss", "learning_rate")
    nothing = (np.zeros(0), np.zeros(0))
    return Curves(
        loss=parts.get(("train", "loss"), nothing),
        terms={
            key[1]: line
            for key, line in parts.items()
            if len(key) == 2 and key[0] == "train" and key[1] not in own
        },
        training=third("train", "accuracy", 100),
        validation=third("val", "accuracy", 100),
        validation_loss=third("val", "loss"),
        learning_rate=parts.get(("train", "learning_rate"), nothing),
        weights=third("train", "weight"),
        temperatures=third("train", "temperature"),
        stages=_stages(rows),
    )


def network_of(term: str, networks: Sequence[str]) -> str | None:
    """The network that a term's name begins with after the term's kind, as in `ce_peer_0`.

    None for a name without a network, and for one that is not alone in being the first.
    """
    found = [(term.find(f"_{name}"), -len(name), name) for name in networks if f"_{name}" in term]
    return min(found)[2] if found else None


def _line(rows: Sequence[Mapping[str, Any]], key: str) -> Line:
    steps: list[float] = []
    values: list[float] = []
    stage = None
    for row in rows:
        if key not in row:
            continue
        if steps and row["stage"] != stage:
            steps.append(steps[-1])
            values.append(np.nan)
        stage = row["stage"]
        steps.append(row["step"])
        values.append(row[key])
    return np.asarray(steps, np.float64), np.asarray(values, np.float64)


def _stages(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """A stage begins where the one before it ended; the first at 0."""
    begins: dict[str, float] = {}
    last = 0.0
    for row in rows:
        begins.setdefault(row["stage"], last)
        last = float(row["step"])
    return begins
