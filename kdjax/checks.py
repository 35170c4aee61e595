"""Ranges of a config's values, checked before anything is built."""

import math
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from kdjax import discover
from kdjax.errors import UserError
from kdjax.schedules import Schedule

_POINTS = 40
"""At so many epochs a schedule's values are looked at."""


def check(config: ConfigDict) -> None:
    """Every value that has a range.

    Raises:
        UserError: the first one that is out of it.
    """
    _within("alpha", config.alpha, 0, 1)
    _positive("temperature", config.temperature)
    for key in (
        "eval_batch_size",
        "log_every",
        "validate_every_epochs",
        "checkpoint_every_epochs",
    ):
        _positive(key, config[key])
    _within("steps_per_call", config.steps_per_call, 1, math.inf, open_end=True)
    for key, seed in (("seed", config.seed), ("data.seed", config.data.seed)):
        _require(0 <= seed < 2**32, key, seed, "in [0, 2^32)")
    for key, value, known in (
        ("select", config.select, ("best", "last")),
        ("parallel", config.parallel, ("jit", "pmap")),
        ("precision", config.precision, ("float32", "bfloat16")),
    ):
        _require(value in known, key, repr(value), " or ".join(known))
    check_data(config.data)
    for name, network in config.networks.items():
        _within(f"networks.{name}.dropout", network.dropout, 0, 1, open_end=True)
    order = config.stage_order
    _require(bool(order), "stage_order", order, "one stage or more")
    _require(len(set(order)) == len(order), "stage_order", order, "of different stages")
    for name in order:
        if name not in config.stages:
            raise discover.unknown("stage in config.stage_order", str(name), config.stages)
        _check_stage(config, f"stages.{name}", config.stages[name])


def check_data(data: ConfigDict) -> None:
    """Every value of a config's `data`.

    Raises:
        UserError: the first one that is out of its range.
    """
    _require(0 < data.fraction <= 1, "data.fraction", data.fraction, "in (0, 1]")
    _within("data.validation", data.validation, 0, 0.9, open_end=True)
    _positive("data.size", data.size)
    channels = len(data.mean)
    for key in ("mean", "std"):
        values = data[key]
        right = len(values) == channels and channels in (1, 3) and _numbers(values)
        what = "one number for grey images, or three for colour, as many as the other"
        _require(right, f"data.{key}", values, what)
    _require(min(data.std) > 0, "data.std", data.std, "greater than 0")
    for key, known in (
        ("normalisation", ("dataset", "imagenet", "unit")),
        ("input", ("auto", "resident", "streaming")),
    ):
        _require(data[key] in known, f"data.{key}", repr(data[key]), " or ".join(known))
    _within("data.workers", data.workers, 0, math.inf, open_end=True)
    _within("data.views", data.views, 0, math.inf, open_end=True)
    _check_augment(data)


def _check_augment(data: ConfigDict) -> None:
    augment, where = data.augment, "data.augment"
    _within(f"{where}.pad", augment.pad, 0, data.size, open_end=True)
    modes = ("zeros", "reflect")
    _require(
        augment.pad_mode in modes, f"{where}.pad_mode", repr(augment.pad_mode), " or ".join(modes)
    )
    for key, low, high in (("crop_scale", 0, 1), ("crop_ratio", 0, math.inf)):
        values = augment[key]
        right = len(values) == 2 and _numbers(values) and low < values[0] <= values[1] <= high
        what = f"two numbers, the smaller first, greater than {low}" + (" up to 1" * (high == 1))
        _require(right, f"{where}.{key}", values, what)
    for key in ("brightness", "contrast", "saturation"):
        _within(f"{where}.{key}", augment[key], 0, math.inf, open_end=True)
    _within(f"{where}.hue", augment.hue, 0, 0.5)
    colour = len(data.mean) == 3 or data.normalisation == "imagenet"
    for key in ("saturation", "hue"):
        _require(colour or not augment[key], f"{where}.{key}", augment[key], "0 for grey images")
    _within(f"{where}.cutout", augment.cutout, 0, data.size)
    for key in ("mixup", "cutmix"):
        _within(f"{where}.{key}", augment[key], 0, math.inf, open_end=True)


def _check_stage(config: ConfigDict, key: str, stage: ConfigDict) -> None:
    for field in ("epochs", "batch_size"):
        _positive(f"{key}.{field}", stage[field])
    known = ("best", "last")
    _require(stage.select in known, f"{key}.select", repr(stage.select), " or ".join(known))
    _require(stage.patience >= 0, f"{key}.patience", stage.patience, "0 or more")
    validated = config.data.validation > 0 and not config.data.refit
    without = "0 where nothing is held out for validation"
    _require(validated or not stage.patience, f"{key}.patience", stage.patience, without)
    optimiser = stage.optimiser
    for field in ("momentum", "b1", "b2"):
        _within(f"{key}.optimiser.{field}", optimiser[field], 0, 1, open_end=True)
    for field in ("weight_decay", "clip_norm"):
        _within(f"{key}.optimiser.{field}", optimiser[field], 0, math.inf, open_end=True)
    _positive(f"{key}.optimiser.eps", optimiser.eps)
    rate = f"{key}.optimiser.learning_rate"
    _check_schedule(rate, optimiser.learning_rate, stage.epochs, smallest=0)
    _positive(f"{rate}.start", optimiser.learning_rate.start)
    for name, term in stage.terms.items():
        where = f"{key}.terms.{name}"
        _check_schedule(f"{where}.weight", term.weight, stage.epochs, smallest=0)
        if "temperature" in term:
            _check_schedule(f"{where}.temperature", term.temperature, stage.epochs, smallest=None)
        if "label_smoothing" in term:
            smoothing = term.label_smoothing
            _within(f"{where}.label_smoothing", smoothing, 0, 1, open_end=True)


def _check_schedule(key: str, schedule: ConfigDict, epochs: int, smallest: float | None) -> None:
    """`smallest`: of its values; None means greater than 0."""
    for field in ("start", "end"):
        if smallest is None:
            _positive(f"{key}.{field}", schedule[field])
        else:
            _within(f"{key}.{field}", schedule[field], smallest, math.inf, open_end=True)
    for field in ("rate", "every"):
        _positive(f"{key}.{field}", schedule[field])
    for field in ("begin", "finish", "warm_up"):
        _within(f"{key}.{field}", schedule[field], 0, math.inf, open_end=True)
    changes = schedule.kind in ("linear", "cosine") and schedule.start != schedule.end
    _require(
        not changes or schedule.begin < epochs,
        f"{key}.begin",
        schedule.begin,
        f"less than the stage's {epochs} epochs, or the schedule never starts",
    )
    _require(
        schedule.kind != "exponential" or schedule.rate == 1 or schedule.start != schedule.end,
        f"{key}.end",
        schedule.end,
        "where an exponential schedule is to stop, not its start",
    )
    numbers = _numbers(schedule.boundaries)
    _require(numbers, f"{key}.boundaries", schedule.boundaries, "a tuple of epochs")


def check_values(key: str, schedule: Schedule, epochs: int, steps_per_epoch: int) -> None:
    """That a weight is never below 0, and a temperature always above.

    Raises:
        UserError: at some epoch it is not; names the first.
    """
    at = np.linspace(0, epochs, min(epochs, _POINTS) + 1)
    steps = (at * steps_per_epoch).astype(np.float32)
    values = np.asarray(jax.vmap(schedule.at)(jnp.asarray(steps)))
    positive = key.endswith("temperature")
    wrong = ~np.isfinite(values) | (values < 0) | (positive & (values == 0))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise UserError(
            f"config.{key} comes to {values[first]:.4g} at epoch {at[first]:g}; it "
            f"must be {'greater than 0' if positive else '0 or more'}"
        )


def _numbers(values: Iterable[Any]) -> bool:
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)


def _positive(key: str, value: float) -> None:
    _require(0 < value < math.inf, key, value, "greater than 0, and finite")


def _within(key: str, value: float, low: float, high: float, *, open_end: bool = False) -> None:
    holds = low <= value < high if open_end else low <= value <= high
    if math.isinf(high):
        _require(holds, key, value, f"{low} or more, and finite")
    else:
        _require(holds, key, value, f"in [{low}, {high}{')' if open_end else ']'}")


def _require(holds: bool, key: str, value: object, what: str) -> None:
    if not holds:
        raise UserError(f"config.{key} is {value}; it must be {what}")
