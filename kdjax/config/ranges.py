"""Ranges of a config's values, checked before data is read and before anything is compiled."""

import copy
import math
from collections.abc import Iterable, Iterator
from typing import Any

from ml_collections import ConfigDict

from kdjax.system import discover
from kdjax.system.errors import UserError

LARGEST_INTEGER = 2**31 - 1
"""The largest int32, in which steps are counted."""
LARGEST_NUMBER = 3.4e38
"""About the largest float32."""


def check(config: ConfigDict) -> None:
    """Every value that has a range.

    Raises:
        UserError: the first one that is out of it.
    """
    # Top-level keys first, since others follow them.
    for key, value in sorted(leaves(config), key=lambda leaf: leaf[0].count(".")):
        if not key.startswith("sweep."):
            _check_number(key, value)
    for key in (
        "eval_batch_size",
        "log_every",
        "validate_every_epochs",
        "checkpoint_every_epochs",
    ):
        _positive(key, config[key])
    _within("steps_per_call", config.steps_per_call, 1, math.inf, open_end=True)
    for key, seed in (("seed", config.seed), ("data.seed", config.data.seed)):
        require(0 <= seed < 2**32, key, seed, "in [0, 2^32)")
    for key, value, known in (
        ("select", config.select, ("best", "last")),
        ("parallel", config.parallel, ("jit", "pmap")),
        ("precision", config.precision, ("float32", "bfloat16")),
    ):
        require(value in known, key, repr(value), " or ".join(known))
    check_data(config.data)
    for name, network in config.networks.items():
        _within(f"networks.{name}.dropout", network.dropout, 0, 1, open_end=True)
    order = config.stage_order
    require(bool(order), "stage_order", order, "one stage or more")
    require(len(set(order)) == len(order), "stage_order", order, "of different stages")
    for name in order:
        if name not in config.stages:
            raise discover.unknown("stage in config.stage_order", str(name), config.stages)
        _check_stage(config, f"stages.{name}", config.stages[name])


def check_data(data: ConfigDict) -> None:
    """Every value of a config's `data`.

    Raises:
        UserError: the first one that is out of its range.
    """
    require(0 < data.fraction <= 1, "data.fraction", data.fraction, "in (0, 1]")
    _within("data.validation", data.validation, 0, 0.9, open_end=True)
    _positive("data.size", data.size)
    channels = len(data.mean)
    for key in ("mean", "std"):
        values = data[key]
        right = len(values) == channels and channels in (1, 3) and _numbers(values)
        what = "one number for grey images, or three for colour, as many as the other"
        require(right, f"data.{key}", values, what)
    require(min(data.std) > 0, "data.std", data.std, "greater than 0")
    for key, known in (
        ("normalisation", ("dataset", "imagenet", "unit")),
        ("input", ("auto", "resident", "streaming")),
    ):
        require(data[key] in known, f"data.{key}", repr(data[key]), " or ".join(known))
    _within("data.workers", data.workers, 0, math.inf, open_end=True)
    _within("data.views", data.views, 0, math.inf, open_end=True)
    _check_augment(data)


def _check_augment(data: ConfigDict) -> None:
    augment, where = data.augment, "data.augment"
    _within(f"{where}.pad", augment.pad, 0, data.size, open_end=True)
    modes = ("zeros", "reflect")
    require(
        augment.pad_mode in modes, f"{where}.pad_mode", repr(augment.pad_mode), " or ".join(modes)
    )
    for key, low, high in (("crop_scale", 0, 1), ("crop_ratio", 0, math.inf)):
        values = augment[key]
        right = len(values) == 2 and _numbers(values) and low < values[0] <= values[1] <= high
        what = f"two numbers, the smaller first, greater than {low}" + (" up to 1" * (high == 1))
        require(right, f"{where}.{key}", values, what)
    for key in ("brightness", "contrast", "saturation"):
        _within(f"{where}.{key}", augment[key], 0, math.inf, open_end=True)
    _within(f"{where}.hue", augment.hue, 0, 0.5)
    colour = len(data.mean) == 3 or data.normalisation == "imagenet"
    for key in ("saturation", "hue"):
        require(colour or not augment[key], f"{where}.{key}", augment[key], "0 for grey images")
    _within(f"{where}.cutout", augment.cutout, 0, data.size)
    for key in ("mixup", "cutmix"):
        _within(f"{where}.{key}", augment[key], 0, math.inf, open_end=True)


def _check_stage(config: ConfigDict, key: str, stage: ConfigDict) -> None:
    for field in ("epochs", "batch_size"):
        if stage[field] <= 0:
            _positive(source(config, key, field), stage[field])
    known = ("best", "last")
    require(stage.select in known, f"{key}.select", repr(stage.select), " or ".join(known))
    require(stage.patience >= 0, f"{key}.patience", stage.patience, "0 or more")
    validated = config.data.validation > 0 and not config.data.refit
    without = "0 where nothing is held out for validation"
    require(validated or not stage.patience, f"{key}.patience", stage.patience, without)
    for field in ("weight_decay", "clip_norm"):
        _within(f"{key}.{field}", stage[field], 0, math.inf, open_end=True)


def source(config: ConfigDict, stage: str, field: str) -> str:
    """The dotted key that sets a stage's field: the top level's, where the stage's follows that.

    Args:
        config: of the whole run.
        stage: such as `stages.student`.
        field: that both have, such as `epochs`.
    """
    trial = copy.deepcopy(config)
    trial[field] += 1
    own = f"{stage}.{field}"
    return own if dict(leaves(trial))[own] == dict(leaves(config))[own] else field


def leaves(tree: ConfigDict, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values, references resolved."""
    for key in tree:
        value = tree[key]
        if isinstance(value, ConfigDict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _check_number(key: str, value: object) -> None:
    """That the machine's numbers can hold it; seeds are unsigned, and checked where others are."""
    if isinstance(value, list | tuple):
        for item in value:
            _check_number(key, item)
    elif isinstance(value, int) and not key.endswith("seed"):
        require(abs(value) <= LARGEST_INTEGER, key, value, f"at most {LARGEST_INTEGER:,}")
    elif isinstance(value, float):
        what = f"finite, and at most {LARGEST_NUMBER:g}"
        require(abs(value) <= LARGEST_NUMBER, key, value, what)


def _numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)


def _positive(key: str, value: float) -> None:
    require(0 < value < math.inf, key, value, "greater than 0, and finite")


def _within(key: str, value: float, low: float, high: float, *, open_end: bool = False) -> None:
    holds = low <= value < high if open_end else low <= value <= high
    if math.isinf(high):
        require(holds, key, value, f"{low} or more, and finite")
    else:
        require(holds, key, value, f"in [{low}, {high}{')' if open_end else ']'}")


def require(holds: bool, key: str, value: object, what: str) -> None:
    """Makes sure that a condition holds.

    Raises:
        UserError: it does not: `config.<key>` is this value, and must be `what`.
    """
    if not holds:
        raise UserError(f"config.{key} is {value}; it must be {what}")
