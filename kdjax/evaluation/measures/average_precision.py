"""Average precision of attributes, by scikit-learn: examples of equal score count together."""

import numpy as np
from sklearn import metrics

from kdjax.evaluation.measures import Column, Prediction, Values

COLUMNS = {"average_precision": Column("average precision")}


def measure(prediction: Prediction, label: np.ndarray) -> Values:
    """`average_precision`: the mean over the attributes that some image has, None without any."""
    if not prediction.multi_label:
        return {}
    values = measure_classes(prediction, label)["average_precision"]
    known = values[~np.isnan(values)]
    return {"average_precision": float(known.mean()) if len(known) else None}


def measure_classes(prediction: Prediction, label: np.ndarray) -> Values:
    """`average_precision` of each attribute; NaN where no image has it. NaN logits rank last."""
    if not prediction.multi_label:
        return {}
    # Finite scores: scikit-learn takes no others.
    scores = np.nan_to_num(prediction.logits, nan=np.finfo(np.float64).min)
    values = [
        metrics.average_precision_score(truth, score) if truth.any() else np.nan
        for truth, score in zip(label.T, scores.T, strict=True)
    ]
    return {"average_precision": np.asarray(values)}
