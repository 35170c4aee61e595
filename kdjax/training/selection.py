"""The best networks so far, by validation accuracy and, at equal accuracy, by loss; per network."""

from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import jax
import jax.numpy as jnp

from kdjax.config.plan import Stage
from kdjax.step.types import NetState


class Record(TypedDict):
    """The validation scores of one network at its best epoch."""

    step: int
    epoch: int
    accuracy: float
    loss: float


class Selection(NamedTuple):
    """Copies of the best networks, and their records."""

    networks: dict[str, NetState]
    records: dict[str, Record]


def update(
    selection: Selection,
    networks: Mapping[str, NetState],
    scores: Mapping[str, Mapping[str, float]],
    *,
    step: int,
    epoch: int,
) -> Selection:
    """The selection with a copy of every network that is better now than before.

    `scores` holds the networks' validation `accuracy` and `loss`; `step` is the run's step, and
    `epoch` the number of epochs of the stage so far.
    """
    best, records = dict(selection.networks), dict(selection.records)
    for name, state in networks.items():
        if name not in scores:
            # It has no last layer.
            continue
        accuracy, loss = scores[name]["accuracy"], scores[name]["loss"]
        before = records.get(name)
        if before is None or (accuracy, -loss) > (before["accuracy"], -before["loss"]):
            best[name] = jax.tree.map(jnp.copy, state)
            records[name] = Record(step=step, epoch=epoch, accuracy=accuracy, loss=loss)
    return Selection(best, records)


def is_over(stage: Stage, records: Mapping[str, Record], epoch: int) -> bool:
    """Whether a stage ends after so many epochs, also because none of its networks has improved."""
    latest = max((record["epoch"] for record in records.values()), default=epoch)
    return epoch >= stage.epochs or 0 < stage.patience <= epoch - latest
