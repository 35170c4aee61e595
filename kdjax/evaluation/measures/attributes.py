"""Figures of predictions of several attributes for each example."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from kdjax.evaluation.measures import numeric

AT = (5, 10, 20)
BINS = 15


def figures(logits: np.ndarray, label: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """Everything that is reported of one network.

    Args:
        logits: `[n, k]`, n > 0; an attribute is predicted where its logit is above 0. NaN is no
            prediction: it is wrong, ranks last, and is in no bin.
        label: `[n, k]` in {0, 1}.
        names: of the k attributes.

    Returns:
        `accuracy`, the mean over attributes; `without_prediction`, how many examples lack one of an
        attribute; `loss`, the mean binary cross-entropy in nats, None where it is not finite;
        `precision`, `recall`, `f1`, means over the attributes that occur among labels or
        predictions; `average_precision`, the mean over the attributes that some example has;
        `calibration_error` and `reliability`; `precision_at_5` and so on, where there are as many
        attributes; and
        `attributes`, by name: `accuracy`, `precision`, `recall`, `f1`, `average_precision` (None
        where no example has it) and `support`.
    """
    logits, label = np.asarray(logits, np.float64), np.asarray(label) > 0.5
    predicted, unknown = logits > 0, np.isnan(logits)
    correct = (predicted == label) & ~unknown
    right = (predicted & label).sum(axis=0)
    support, positive = label.sum(axis=0), predicted.sum(axis=0)
    each = {
        "accuracy": correct.mean(axis=0),
        "precision": numeric.share(right, positive),
        "recall": numeric.share(right, support),
        "f1": numeric.share(2 * right, positive + support),
    }
    occur = (support + positive) > 0
    ranks = np.where(unknown, -np.inf, logits)
    ranked = [
        average_precision(ranks[:, i], label[:, i]) if support[i] else None
        for i in range(label.shape[1])
    ]
    known = [value for value in ranked if value is not None]
    reliability = calibration(logits, label)
    hard = -np.where(label, special.log_expit(logits), special.log_expit(-logits))
    macro = {
        key: float(each[key][occur].mean()) if occur.any() else 0.0
        for key in ("precision", "recall", "f1")
    }
    return {
        "accuracy": float(correct.mean()),
        "without_prediction": int(unknown.any(axis=1).sum()),
        "loss": numeric.known(hard.mean()),
        **macro,
        "average_precision": float(np.mean(known)) if known else None,
        "calibration_error": reliability["error"],
        "reliability": reliability,
        **precision_at(ranks, label),
        "attributes": {
            name: {
                **{key: float(values[index]) for key, values in each.items()},
                "average_precision": ranked[index],
                "support": int(support[index]),
            }
            for index, name in enumerate(names)
        },
    }


def precision_at(scores: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """For 5, 10 and 20 the share of an example's most confident attributes that it has.

    Often reported as "top-5 accuracy" of attributes. It cannot exceed `ceilings`.

    Args:
        scores: `[n, k]`; of equal ones the lower attribute comes first.
        label: `[n, k]`.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    found = np.take_along_axis(label, order, axis=1)
    return {f"precision_at_{at}": float(found[:, :at].mean()) for at in AT if at <= label.shape[1]}


def references(label: np.ndarray, prevalence: np.ndarray) -> dict[str, dict[str, float]]:
    """What precision at k is to be compared with.

    Args:
        label: `[n, k]` of the examples that are evaluated.
        prevalence: `[k]`, the share of training examples that has each attribute.

    Returns:
        `ceiling`: that of a perfect ranking, less than 1 where examples have fewer attributes;
        `prevalence`: of ranking all examples alike, by how frequent each attribute is.
    """
    label = np.asarray(label) > 0.5
    alike = np.broadcast_to(np.asarray(prevalence, np.float64), label.shape)
    return {
        "ceiling": precision_at(label.astype(np.float64), label),
        "prevalence": precision_at(alike, label),
    }


def average_precision(scores: np.ndarray, label: np.ndarray) -> float:
    """The mean of precision over the examples that have the attribute, by descending score.

    Examples of equal score count together. There is one that has it.

    Args:
        scores: `[n]`.
        label: `[n]` of bool.
    """
    order = np.argsort(-scores, kind="stable")
    scores, label = scores[order], label[order]
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    hits = np.cumsum(label)[last]
    recall = np.diff(hits, prepend=0) / label.sum()
    return float((recall * hits / (last + 1)).sum())


def calibration(logits: np.ndarray, label: np.ndarray, bins: int = BINS) -> dict[str, Any]:
    """As for classes, of every single answer; its confidence is that of the likelier one."""
    known = ~np.isnan(logits)
    logits, label = np.asarray(logits, np.float64)[known], np.asarray(label)[known]
    confidence = special.expit(np.abs(logits))
    return numeric.reliability(confidence, (logits > 0) == (label > 0.5), bins)
