"""Accuracy: the share of predictions that equal the label; attributes: the mean over attributes.

An image without a prediction counts as wrong.
"""

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values

TOP = 5
COLUMNS = {"accuracy": Column("accuracy"), "top5_accuracy": Column("top-5")}


def measure(prediction: Prediction, label: np.ndarray) -> Values:
    """`accuracy`; `without_prediction`, the number of images that lack one (of some attribute); for
    classes `top5_accuracy`, the share whose class is among the 5 most probable, None where there
    are not more than 5."""
    decisions, logits = prediction.decisions, prediction.logits
    known = ~np.isnan(decisions).reshape(len(label), -1).any(axis=1)
    values: Values = {
        "accuracy": float((decisions == label).mean()),
        "without_prediction": int((~known).sum()),
    }
    if not prediction.multi_label:
        # Of equal logits the lower class comes first, as for `decisions`; scikit-learn's
        # `top_k_accuracy_score` takes the higher class, and refuses NaN.
        first = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
        among = float(((first == label[:, None]).any(axis=1) & known).mean())
        values["top5_accuracy"] = among if logits.shape[1] > TOP else None
    return values


def measure_classes(prediction: Prediction, label: np.ndarray) -> Values:
    """`accuracy` on each attribute; a class's would be its recall."""
    if not prediction.multi_label:
        return {}
    return {"accuracy": (prediction.decisions == label).mean(axis=0)}
