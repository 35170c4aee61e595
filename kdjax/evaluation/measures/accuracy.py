"""Accuracy: the share of predictions that equal the label; attributes: the mean over attributes.

An image without a prediction counts as wrong.
"""

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values

TOP = 5
COLUMNS = {"accuracy": Column("accuracy"), "top5_accuracy": Column("top-5")}


def measure(prediction: Prediction, label: np.ndarray) -> Values:
    """`accuracy`; `without_prediction`, the number of images that lack one (of some attribute); for
    classes `top5_accuracy`, None where there are not more than 5."""
    decisions = prediction.decisions
    unknown = np.isnan(decisions).reshape(len(label), -1).any(axis=1)
    values: Values = {
        "accuracy": float((decisions == label).mean()),
        "without_prediction": int(unknown.sum()),
    }
    if not prediction.multi_label:
        enough = prediction.logits.shape[1] > TOP
        values["top5_accuracy"] = top(prediction.logits, label, TOP) if enough else None
    return values


def measure_classes(prediction: Prediction, label: np.ndarray) -> Values:
    """`accuracy` on each attribute; a class's would be its recall."""
    if not prediction.multi_label:
        return {}
    return {"accuracy": (prediction.decisions == label).mean(axis=0)}


def top(logits: np.ndarray, label: np.ndarray, among: int) -> float:
    """Share of images whose class is among the `among` most probable.

    Of equal logits the lower class comes first, as for `accuracy`; scikit-learn's
    `top_k_accuracy_score` takes the higher one, and refuses NaN.
    """
    first = np.argsort(-logits, axis=1, kind="stable")[:, :among]
    known = ~np.isnan(logits).any(axis=1)
    return float(((first == label[:, None]).any(axis=1) & known).mean())
