"""Measures: numbers that say what a network's predictions are worth, one file for each subject.

A file in this folder is found by its name. It has one or more of these functions of NumPy arrays
(float64; n images, k classes or attributes), each of which returns values by key:

    measure(prediction, label)           a network against the labels
    measure_classes(prediction, label)   the same for each class or attribute: arrays `[k]`
    compare(student, teacher)            a network's prediction against its teacher's
    compare_features(student, teacher)   features `[n, c]` against the teacher's `[n, d]`

and `COLUMNS`, the tables' columns by key. A value is a number, or what JSON holds; it is None where
the measure is not defined. A label is `[n]` class indices, or `[n, k]` of 0 and 1 for attributes.
"""

import importlib
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from kdjax.system import discover

Values = dict[str, Any]


class Column(NamedTuple):
    """How tables show a measure."""

    title: str
    form: str = ".2%"
    """The format of a value in tables, as Python's `format` takes it."""
    note: str = ""
    """Stands below the tables that have the column."""


class Prediction(NamedTuple):
    """A network's outputs on n images."""

    logits: np.ndarray
    """`[n, k]`, float64. NaN logits are no prediction."""
    multi_label: bool
    """Whether k are attributes, each with a probability of its own, and not classes."""

    @property
    def decisions(self) -> np.ndarray:
        """`[n]` class indices, or `[n, k]` of 0 and 1; NaN where there is no prediction."""
        if self.multi_label:
            return np.where(np.isnan(self.logits), np.nan, self.logits > 0)
        unknown = np.isnan(self.logits).any(axis=1)
        return np.where(unknown, np.nan, self.logits.argmax(axis=1))

    @property
    def log_probabilities(self) -> np.ndarray:
        """`[n, k]` of the classes, or `[n, k, 2]`: that an image lacks or has an attribute."""
        if self.multi_label:
            return np.stack([special.log_expit(x) for x in (-self.logits, self.logits)], axis=-1)
        return special.log_softmax(self.logits, axis=1)


def prediction(logits: np.ndarray, *, multi_label: bool) -> Prediction:
    """A `Prediction` of logits `[n, k]` of any type."""
    return Prediction(np.asarray(logits, np.float64), multi_label)


def defined(value: float | np.floating[Any]) -> float | None:
    """A number, or None where NaN or infinite values went into it."""
    return float(value) if np.isfinite(value) else None


def against_labels(prediction: Prediction, label: np.ndarray, names: tuple[str, ...]) -> Values:
    """The values of all files for n > 0 images, and `classes` or `attributes`: the values of each
    of the k classes or attributes, by its name."""
    if prediction.multi_label:
        label = (np.asarray(label) > 0.5).astype(np.int64)
    by_class = _values("measure_classes", prediction, label)
    return _values("measure", prediction, label) | {
        "attributes" if prediction.multi_label else "classes": {
            name: {
                key: None if np.isnan(values[index]) else values[index].item()
                for key, values in by_class.items()
            }
            for index, name in enumerate(names)
        }
    }


def against_teacher(
    student: Prediction,
    teacher: Prediction,
    features: tuple[np.ndarray, np.ndarray] | None,
) -> Values:
    """Every measure of two networks on the same images.

    `features` are `[m, c]` of the student and `[m, d]` of the teacher for the first m images; None
    where a network lacks the layer, which leaves their measures None.
    """
    functions = ("compare", "compare_features")
    modules = [module for module in _modules() if any(hasattr(module, f) for f in functions)]
    values: Values = {key: None for module in modules for key in module.COLUMNS}
    values |= _values("compare", student, teacher)
    if features is not None:
        values |= _values("compare_features", *(np.asarray(x, np.float64) for x in features))
    return values


def columns() -> dict[str, Column]:
    """The columns of all measures by key, in the order of the files' names."""
    return {key: column for module in _modules() for key, column in module.COLUMNS.items()}


def _values(function: str, *arguments: Any) -> Values:
    values: Values = {}
    for module in _modules():
        if hasattr(module, function):
            values |= getattr(module, function)(*arguments)
    return values


def _modules() -> list[Any]:
    return [importlib.import_module(f"{__name__}.{name}") for name in discover.names(__name__)]
