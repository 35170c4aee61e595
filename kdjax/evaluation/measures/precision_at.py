"""Precision at 5, 10 and 20 of attributes; often reported as their "top-5 accuracy"."""

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values

COLUMNS = {
    "precision_at_5": Column("precision at 5"),
    "precision_at_10": Column("at 10"),
    "precision_at_20": Column("at 20"),
}


def measure(prediction: Prediction, label: np.ndarray) -> Values:
    """For 5, 10 and 20, where there are as many, the share of an image's most confident attributes
    that it has. NaN logits rank last. It cannot exceed the ceiling of `references`."""
    return precision_at(prediction.logits, label) if prediction.multi_label else {}


def precision_at(scores: np.ndarray, label: np.ndarray) -> Values:
    """The same of any scores `[n, k]`; of equal ones the lower attribute comes first."""
    order = np.argsort(-scores, axis=1, kind="stable")
    has = np.take_along_axis(label, order, axis=1)
    return {
        f"precision_at_{at}": float(has[:, :at].mean())
        for at in (5, 10, 20)
        if at <= label.shape[1]
    }


def references(label: np.ndarray, prevalence: np.ndarray) -> dict[str, Values]:
    """Values to compare the measure with.

    Args:
        label: `[n, k]` of the images that are evaluated.
        prevalence: `[k]`, the share of training images that has each attribute.

    Returns:
        `ceiling`: of a perfect ranking, less than 1 where images have fewer attributes;
        `prevalence`: of ranking every image's attributes by how frequent they are.
    """
    label = np.asarray(label) > 0.5
    alike = np.broadcast_to(np.asarray(prevalence, np.float64), label.shape)
    return {
        "ceiling": precision_at(label.astype(np.float64), label),
        "prevalence": precision_at(alike, label),
    }
