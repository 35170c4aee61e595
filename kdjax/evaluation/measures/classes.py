"""Figures of predictions of one class for each example."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from kdjax.evaluation.measures import numeric

TOP = 5
BINS = 15


def figures(logits: np.ndarray, label: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Everything that is reported of one network.

    Args:
        logits: `[n, k]`, n > 0. An example with NaN among its logits has no prediction: it is
            wrong, and in no column of the confusion matrix and no bin.
        label: `[n]` class indices.
        names: of the k classes.

    Returns:
        `accuracy`; `without_prediction`, how many examples have none; `top5_accuracy` where there
        are more than 5 classes, else None; `loss`, the mean cross-entropy in nats, None where it is
        not finite; `precision`, `recall` and `f1`, the means over the classes that occur
        among labels or predictions; `calibration_error`, in [0, 1], and its `reliability`;
        `confusion`, `[k, k]` counts, the true class first; and `classes`, by name: `precision`,
        `recall`, `f1` and `support`.
    """
    logits = np.asarray(logits, np.float64)
    count, width = logits.shape
    predicted = ~np.isnan(logits).any(axis=1)
    right = predicted & (logits.argmax(axis=1) == label)
    log_p = special.log_softmax(logits, axis=1)
    matrix = confusion(logits[predicted].argmax(axis=1), label[predicted], width)
    each = by_class(matrix, np.bincount(label, minlength=width))
    occur = (matrix.sum(axis=0) + each["support"]) > 0
    reliability = calibration(logits[predicted], label[predicted])
    means = {key: float(each[key][occur].mean()) for key in ("precision", "recall", "f1")}
    return {
        "accuracy": float(right.mean()),
        "without_prediction": int((~predicted).sum()),
        "top5_accuracy": top(logits, label, TOP) if width > TOP else None,
        "loss": numeric.known(-log_p[np.arange(count), label].mean()),
        **means,
        "calibration_error": reliability["error"],
        "reliability": reliability,
        "confusion": matrix.tolist(),
        "classes": {
            name: {key: each[key][index].item() for key in ("precision", "recall", "f1", "support")}
            for index, name in enumerate(names)
        },
    }


def top(logits: np.ndarray, label: np.ndarray, among: int) -> float:
    """Share of examples whose class is among the `among` most probable.

    Of equal logits, those of lower classes come first, as for the most probable one. An example
    with NaN logits does not count as among them.
    """
    mine = np.take_along_axis(logits, label[:, None], axis=1)
    before = np.arange(logits.shape[1]) < label[:, None]
    ahead = (logits > mine) | ((logits == mine) & before)
    among_them = (ahead.sum(axis=1) < among) & ~np.isnan(logits).any(axis=1)
    return float(among_them.mean())


def confusion(predicted: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    """`[k, k]` counts of examples by true and by predicted class."""
    counts = np.bincount(label.astype(np.int64) * classes + predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def by_class(matrix: np.ndarray, support: np.ndarray) -> dict[str, np.ndarray]:
    """Precision, recall, F1 and support `[k]` of each class; 0 where nothing was divided by.

    Args:
        matrix: `[k, k]` of `confusion`.
        support: `[k]` examples of each class, those without a prediction too.
    """
    right, predicted = np.diag(matrix), matrix.sum(axis=0)
    return {
        "precision": numeric.share(right, predicted),
        "recall": numeric.share(right, support),
        "f1": numeric.share(2 * right, predicted + support),
        "support": support,
    }


def calibration(logits: np.ndarray, label: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """The reliability diagram, and the expected calibration error.

    Guo et al., On Calibration of Modern Neural Networks, arXiv:1706.04599, equation 3: the mean
    distance of accuracy from confidence over `bins` bins of equal width, weighted by examples.

    Returns:
        `error`, and for each bin `confidence` and `accuracy` (None where it is empty), `count`.
    """
    logits = np.asarray(logits, np.float64)
    confidence = special.softmax(logits, axis=1).max(axis=1)
    right = logits.argmax(axis=1) == label
    return numeric.reliability(confidence, right, bins)
