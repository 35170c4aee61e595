"""Precision, recall, F1 and support of each class or attribute, and the confusion matrix.

By scikit-learn; 0 where nothing was divided by. An image without a prediction is in its class's
support and in no column of the matrix.
"""

import numpy as np
from sklearn import metrics

from kdjax.evaluation.measures import Column, Prediction, Values

_NOTE = "Precision, recall and F1: means over classes or attributes."
COLUMNS = {
    "precision": Column("precision", note=_NOTE),
    "recall": Column("recall", note=_NOTE),
    "f1": Column("F1", note=_NOTE),
}


def measure(prediction: Prediction, label: np.ndarray) -> Values:
    """`precision`, `recall` and `f1`: the means over the classes or attributes that occur among
    labels or predictions, 0 without any; of classes `confusion`, `[k, k]` counts of images by true
    and by predicted class."""
    predicted, classes = _predicted(prediction), range(prediction.logits.shape[1])
    if prediction.multi_label:
        occurs = label.any(axis=0) | predicted.any(axis=0)
    else:
        occurs = np.isin(classes, label) | np.isin(classes, predicted)
    by_class = measure_classes(prediction, label)
    values: Values = {
        key: float(by_class[key][occurs].mean()) if occurs.any() else 0.0 for key in COLUMNS
    }
    if not prediction.multi_label:
        matrix = metrics.confusion_matrix(label, predicted, labels=classes)
        values["confusion"] = matrix.tolist()
    return values


def measure_classes(prediction: Prediction, label: np.ndarray) -> Values:
    """`precision`, `recall`, `f1` and `support`, the number of images of each class."""
    count = prediction.logits.shape[1]
    # scikit-learn takes a single attribute for two classes, of which 1 is that it is there.
    labels = [1] if prediction.multi_label and count == 1 else range(count)
    values = metrics.precision_recall_fscore_support(
        label, _predicted(prediction), labels=labels, average=None, zero_division=0
    )
    return dict(zip((*COLUMNS, "support"), values, strict=True))


def _predicted(prediction: Prediction) -> np.ndarray:
    """Decisions as integers; without a prediction class -1, or no attribute."""
    nothing = 0 if prediction.multi_label else -1
    return np.nan_to_num(prediction.decisions, nan=nothing).astype(np.int64)
