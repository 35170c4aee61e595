"""From a config's terms and schedules to what runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from kdjax.step import schedules
from kdjax.step.types import Task, Term
from kdjax.system import discover, errors
from kdjax.system.errors import UserError


def schedule(config: ConfigDict, steps_per_epoch: int, key: str) -> schedules.Schedule:
    """A schedule in steps, from one in epochs.

    Raises:
        UserError: an unknown kind.
    """

    def value(x: Any) -> Any:
        return np.asarray(x, np.float32)

    def steps(epochs: Any) -> Any:
        return value(np.asarray(epochs, np.float64) * steps_per_epoch)

    # A warm-up comes first: nothing else changes before it ends.
    begin = max(config.begin, config.warm_up)
    line = (value(config.start), value(config.end), steps(begin), steps(config.finish))
    kinds: dict[str, Any] = {
        "constant": lambda: schedules.Constant(value(config.start)),
        "linear": lambda: schedules.Linear(*line),
        "cosine": lambda: schedules.Cosine(*line),
        "exponential": lambda: schedules.Exponential(
            value(config.start),
            value(config.end),
            value(config.rate),
            steps(config.every),
            steps(begin),
        ),
        "steps": lambda: schedules.Steps(
            value(config.start), value(config.rate), steps(config.boundaries)
        ),
    }
    if config.kind in ("linear", "cosine") and config.finish < begin:
        what = "begin" if begin == config.begin else f"warm-up of {begin} epochs ends"
        raise UserError(f"config.{key} finishes at epoch {config.finish}, before its {what}")
    if config.kind not in kinds:
        raise discover.unknown(f"kind of schedule in config.{key}", config.kind, kinds)
    made = kinds[config.kind]()
    if config.warm_up:
        made = schedules.WarmUp(steps(config.warm_up), made)
    # Also where it changes nothing: members of a sweep need schedules of one structure.
    return schedules.Affine(value(config.offset), value(config.factor), made)


def term(
    given: dict[str, Any], task: Task, steps_per_epoch: int, key: str, name: str
) -> tuple[Term, dict[str, Any]]:
    """A term, and the schedules of its weight and of its temperature if it has one.

    Args:
        given: the term's part of the config; what is read here is taken out.
        task: of the data set.
        steps_per_epoch: of the stage.
        key: the stage's, as `stages.student`.
        name: the term's.

    Raises:
        UserError: what the config says fits no term.
    """
    where = f"config.{key}.terms.{name}"
    for needed in ("kind", "weight"):
        if needed not in given:
            raise UserError(f"{where} has no {needed}")
    kind = given.pop("kind")
    moving: dict[str, Any] = {
        part: schedule(given.pop(part), steps_per_epoch, f"{key}.terms.{name}.{part}")
        for part in ("weight", "temperature")
        if part in given
    }
    found = discover.module("kdjax.terms", kind, f"kind of term in {where}", function="make")
    try:
        made = found.make(task=task, **values(given))
    except TypeError as error:
        own = "." in kind and not errors.own_frames(error)
        place = f"{errors.place(found.make)}: " if own else ""
        raise UserError(
            f"{place}{where}, a {kind}, does not fit: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(made, Term):
        raise UserError(f"{errors.place(found.make)}: make returns no Term for {where}, a {kind}")
    twice = sorted({one for one in made.reads if made.reads.count(one) > 1})
    if twice:
        raise UserError(f"{where} names {twice[0]!r} twice")
    return made, moving


def values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keys and values; a config read back from JSON has lists in place of tuples."""
    return {key: tuple(x) if isinstance(x, list) else x for key, x in config.items()}
