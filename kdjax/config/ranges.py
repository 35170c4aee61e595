"""Ranges of a config's values, checked before data is read and before anything is compiled."""

import copy
import fnmatch
import math
from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from kdjax.step.types import Range
from kdjax.system import discover
from kdjax.system.errors import UserError

LARGEST_INTEGER = 2**31 - 1
"""The largest int32, in which steps are counted."""
LARGEST_NUMBER = 3.4e38
"""About the largest float32."""
_POSITIVE, _NOT_NEGATIVE = Range(0, open_low=True), Range(0)
_RANGES = {
    "*seed": Range(0, 2**32, open_high=True),
    "epochs": _POSITIVE,
    "batch_size": _POSITIVE,
    "eval_batch_size": _POSITIVE,
    "steps_per_call": Range(1),
    "log_every": _POSITIVE,
    "*_every_epochs": _POSITIVE,
    "data.fraction": Range(0, 1, open_low=True),
    "data.validation": Range(0, 0.9, open_high=True),
    "data.size": _POSITIVE,
    "data.workers": _NOT_NEGATIVE,
    "data.views": _NOT_NEGATIVE,
    "data.augment.brightness": _NOT_NEGATIVE,
    "data.augment.contrast": _NOT_NEGATIVE,
    "data.augment.saturation": _NOT_NEGATIVE,
    "data.augment.hue": Range(0, 0.5),
    "data.augment.mixup": _NOT_NEGATIVE,
    "data.augment.cutmix": _NOT_NEGATIVE,
    "networks.*.dropout": Range(0, 1, open_high=True),
    "networks.*.preprocessing.size": _NOT_NEGATIVE,
    "stages.*.epochs": _POSITIVE,
    "stages.*.batch_size": _POSITIVE,
    "stages.*.patience": _NOT_NEGATIVE,
    "stages.*.weight_decay": _NOT_NEGATIVE,
    "stages.*.clip_norm": _NOT_NEGATIVE,
}
_CHOICES = {
    "*select": ("best", "last"),
    "parallel": ("jit", "pmap"),
    "precision": ("float32", "bfloat16"),
    "data.normalisation": ("dataset", "imagenet", "unit"),
    "networks.*.quantise": ("", "int8"),
    "networks.*.head": ("", "none", "new", "own"),
    "networks.*.preprocessing.interpolation": ("bilinear", "bicubic"),
    "data.input": ("auto", "resident", "streaming"),
    "data.augment.pad_mode": ("zeros", "reflect"),
}


def check(config: ConfigDict) -> None:
    """Checks every value that has a range; formulas are checked by `kdjax.config.formulas`.

    Raises:
        UserError: the first value that is out of its range.
    """
    values = {key: x for key, x in leaves(config) if not key.startswith("sweep.")}
    _check_leaves(values)
    check_data(config.data)
    for name, entry in config.networks.items():
        _check_preprocessing(f"networks.{name}", entry)
    order = config.stage_order
    _require(bool(order), "stage_order", order, "one stage or more")
    _require(len(set(order)) == len(order), "stage_order", order, "of different stages")
    validated = config.data.validation > 0 and not config.data.refit
    for name in order:
        if name not in config.stages:
            raise discover.unknown("stage in config.stage_order", str(name), config.stages)
        patience, what = config.stages[name].patience, "0 where nothing is held out for validation"
        _require(validated or not patience, f"stages.{name}.patience", patience, what)


def check_data(data: ConfigDict) -> None:
    """Checks every value of a config's `data`.

    Raises:
        UserError: the first value that is out of its range.
    """
    _check_leaves(dict(leaves(data, "data.")))
    channels = len(data.mean)
    for key in ("mean", "std"):
        right = len(data[key]) == channels and channels in (1, 3) and _numbers(data[key])
        what = "one number for grey images, or three for colour, as many as the other"
        _require(right, f"data.{key}", data[key], what)
    _require(min(data.std) > 0, "data.std", data.std, "greater than 0")
    augment, where = data.augment, "data.augment"
    _check_range(f"{where}.pad", augment.pad, Range(0, data.size, open_high=True))
    _check_range(f"{where}.cutout", augment.cutout, Range(0, data.size))
    for key, low, high in (("crop_scale", 0, 1), ("crop_ratio", 0, math.inf)):
        values = augment[key]
        right = len(values) == 2 and _numbers(values) and low < values[0] <= values[1] <= high
        what = f"two numbers, the smaller first, greater than {low}" + (" up to 1" * (high == 1))
        _require(right, f"{where}.{key}", values, what)
    colour = len(data.mean) == 3 or data.normalisation == "imagenet"
    for key in ("saturation", "hue"):
        _require(colour or not augment[key], f"{where}.{key}", augment[key], "0 for grey images")


def _check_preprocessing(key: str, entry: ConfigDict) -> None:
    own, where = entry.preprocessing, f"{key}.preprocessing"
    right = len(own.mean) == len(own.std) and len(own.mean) in (0, 1, 3) and _numbers(own.mean)
    what = "empty, one number for grey images, or three for colour, as many as std has"
    _require(right, f"{where}.mean", own.mean, what)
    right = _numbers(own.std) and min(own.std, default=1) > 0
    _require(right, f"{where}.std", own.std, "numbers greater than 0")
    if entry.workdir:
        what = "empty, new or own: the network comes with a last layer"
        _require(entry.head != "none", f"{key}.head", repr(entry.head), what)
    else:
        what = f"empty or none, or the network needs {key}.workdir, the run that it comes from"
        _require(entry.head in ("", "none"), f"{key}.head", repr(entry.head), what)


def words(allowed: Range) -> str:
    """A range in words."""
    if math.isfinite(allowed.high):
        low, high = "[("[allowed.open_low], "])"[allowed.open_high]
        return f"in {low}{allowed.low:g}, {allowed.high:g}{high}"
    low = f"greater than {allowed.low:g}" if allowed.open_low else f"{allowed.low:g} or more"
    return f"{low}, and finite"


def source(config: ConfigDict, stage: str, field: str) -> str:
    """The dotted key that sets a stage's field: the top level's key, if the stage's follows it.

    Args:
        config: of the whole run.
        stage: the stage's key, such as `stages.student`.
        field: a key of both, such as `epochs`.
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


def _check_leaves(values: dict[str, Any]) -> None:
    # Top-level keys first, since others follow them.
    for key, value in sorted(values.items(), key=lambda leaf: leaf[0].count(".")):
        _check_number(key, value)
        for pattern, allowed in _RANGES.items():
            if fnmatch.fnmatchcase(key, pattern) and key.count(".") == pattern.count("."):
                _check_range(key, value, allowed)
        for pattern, choices in _CHOICES.items():
            if fnmatch.fnmatchcase(key, pattern):
                what = " or ".join(choice or "empty" for choice in choices)
                _require(value in choices, key, repr(value), what)


def _check_range(key: str, value: float, allowed: Range) -> None:
    low = value > allowed.low if allowed.open_low else value >= allowed.low
    high = value < allowed.high if allowed.open_high else value <= allowed.high
    _require(low and high and math.isfinite(value), key, value, words(allowed))


def _check_number(key: str, value: object) -> None:
    """Makes sure that int32 or float32 can hold a number; seeds, which are unsigned, come later."""
    if isinstance(value, list | tuple):
        for item in value:
            _check_number(key, item)
    elif isinstance(value, int) and not key.endswith("seed"):
        _require(abs(value) <= LARGEST_INTEGER, key, value, f"at most {LARGEST_INTEGER:,}")
    elif isinstance(value, float):
        what = f"finite, and at most {LARGEST_NUMBER:g}"
        _require(abs(value) <= LARGEST_NUMBER, key, value, what)


def _numbers(values: Any) -> bool:
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)


def _require(holds: bool, key: str, value: object, what: str) -> None:
    if not holds:
        raise UserError(f"config.{key} is {value}; it must be {what}")
