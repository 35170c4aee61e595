"""Whether every setting of a new run does something: what is set in vain is refused."""

import copy
import itertools
from collections.abc import Collection, Iterable

from ml_collections import ConfigDict

from kdjax.config import ranges
from kdjax.system.errors import UserError

_READ_BY_NAME = (
    "method",
    "seed",
    "parallel",
    "eval_batch_size",
    "precision",
    "teacher_cache",
    "steps_per_call",
    "log_every",
    "validate_every_epochs",
    "checkpoint_every_epochs",
    "tensorboard",
    "data",
    "networks",
    "stage_order",
    "stages",
)
"""The top-level keys that the code reads; the others are read through references to them alone."""


def check(config: ConfigDict, unread: Collection[str] = ()) -> None:
    """Makes sure that every setting of a new run does something; a run that has begun may keep its
    settings.

    Args:
        config: of the run.
        unread: keys that the user has set, and that `unread` found.

    Raises:
        UserError: the first setting that changes nothing.
    """
    for key in unread:
        raise UserError(f"config.{key} is read by nothing in this config: leave it out")
    ranges.check(config)
    for name in config.stage_order:
        stage = config.stages[name]
        _check_steps(f"stages.{name}.optimiser.learning_rate", stage.optimiser.learning_rate, stage)
        for term_name, term in stage.terms.items():
            for part in ("weight", "temperature"):
                if part in term:
                    _check_steps(f"stages.{name}.terms.{term_name}.{part}", term[part], stage)


def unread(config: ConfigDict, keys: Iterable[str]) -> list[str]:
    """Which of the keys neither the code nor another key of the config reads.

    Args:
        config: as its file makes it, with references and without what the user has set: one setting
            may hide another, as a weight of 0 hides its factor.
        keys: dotted. Below the top level every key belongs to what reads it.
    """
    before = dict(ranges.leaves(config))
    idle = []
    for key in keys:
        value = before.get(key)
        if "." in key or key in _READ_BY_NAME or not isinstance(value, int | float | str):
            continue
        changed = copy.deepcopy(config)
        if isinstance(value, str):
            changed[key] = f"{value}?"
        else:
            changed[key] = not value if isinstance(value, bool) else value + 1
        after = dict(ranges.leaves(changed))
        if all(after[other] == before[other] for other in before if other != key):
            idle.append(key)
    return idle


def _check_steps(key: str, schedule: ConfigDict, stage: ConfigDict) -> None:
    if schedule.kind != "steps":
        return
    at = tuple(schedule.boundaries)
    ranges.require(len(at) > 0, f"{key}.boundaries", at, "epochs, where kind is 'steps'")
    rising = all(a < b for a, b in itertools.pairwise((schedule.warm_up, *at, stage.epochs)))
    what = f"a rising row of epochs, greater than {schedule.warm_up:g} and less than {stage.epochs}"
    ranges.require(rising, f"{key}.boundaries", at, what)
    what = "another factor where kind is 'steps', or nothing changes"
    ranges.require(schedule.rate != 1, f"{key}.rate", schedule.rate, what)
