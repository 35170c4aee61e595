"""Which settings of a new run have no effect: they are refused."""

import copy
from collections.abc import Iterable

from ml_collections import ConfigDict

from kdjax.config import build_terms, formulas, ranges

READ_BY_NAME = (
    "method",
    "seed",
    "select",
    "patience",
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
"""The top-level keys that the code reads; others are read by formulas or through references."""


def unread(config: ConfigDict, keys: Iterable[str]) -> list[str]:
    """The keys that neither the code nor another key of the config reads.

    Args:
        config: as its file makes it, with references and without the user's settings: a setting may
            hide another, as a weight of 0 hides its factor.
        keys: dotted. Below the top level every key belongs to the code that reads it.
    """
    before, named = dict(ranges.leaves(config)), names_in_formulas(config)
    idle = []
    for key in keys:
        value = before.get(key)
        if "." in key or key in {*READ_BY_NAME, *named} or not isinstance(value, int | float | str):
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


def names_in_formulas(config: ConfigDict) -> set[str]:
    """The names that formulas of the config's stages depend on."""
    names: set[str] = set()
    for stage_name in config.stage_order:
        stage = config.stages[stage_name]
        known = formulas.names_of(config, stage)
        entries = [build_terms.hyper_parameters(entry) for entry in stage.terms.values()]
        own = [value for entry in entries for value in entry.values()]
        texts = [stage.learning_rate_schedule, stage.trunk_rate, *own]
        names |= {name for text in texts for name in formulas.names_in(text, known)}
    return names
