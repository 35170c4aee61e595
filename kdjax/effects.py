"""Whether every setting of a new run does something: what is set in vain is refused."""

import copy
import itertools
from collections.abc import Iterable

from ml_collections import ConfigDict

from kdjax import checks
from kdjax.errors import UserError

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


def check(config: ConfigDict) -> None:
    """That every setting of a new run does something; a run that has begun may keep what it has.

    Raises:
        UserError: the first one that changes nothing.
    """
    checks.check(config)
    for name in config.stage_order:
        stage = config.stages[name]
        _check_steps(f"stages.{name}.optimiser.learning_rate", stage.optimiser.learning_rate, stage)
        for term_name, term in stage.terms.items():
            for part in ("weight", "temperature"):
                if part in term:
                    _check_steps(f"stages.{name}.terms.{term_name}.{part}", term[part], stage)


def check_read(config: ConfigDict, keys: Iterable[str]) -> None:
    """That something reads the keys that a user has set.

    Args:
        config: with its references, as a config file makes it.
        keys: dotted. Below the top level every key belongs to what reads it.

    Raises:
        UserError: neither the code nor another key of the config reads one of them.
    """
    before = dict(checks.leaves(config))
    for key in keys:
        value = before.get(key)
        if "." in key or key in _READ_BY_NAME or not isinstance(value, int | float | str):
            continue
        changed = copy.deepcopy(config)
        if isinstance(value, str):
            changed[key] = f"{value}?"
        else:
            changed[key] = not value if isinstance(value, bool) else value + 1
        after = dict(checks.leaves(changed))
        if all(after[other] == before[other] for other in before if other != key):
            raise UserError(f"config.{key} is read by nothing in this config: leave it out")


def _check_steps(key: str, schedule: ConfigDict, stage: ConfigDict) -> None:
    if schedule.kind != "steps":
        return
    at = tuple(schedule.boundaries)
    checks.require(len(at) > 0, f"{key}.boundaries", at, "epochs, where kind is 'steps'")
    rising = all(a < b for a, b in itertools.pairwise((schedule.warm_up, *at, stage.epochs)))
    what = f"a rising row of epochs, greater than {schedule.warm_up:g} and less than {stage.epochs}"
    checks.require(rising, f"{key}.boundaries", at, what)
    what = "another factor where kind is 'steps', or nothing changes"
    checks.require(schedule.rate != 1, f"{key}.rate", schedule.rate, what)
