"""Cosine similarity of a student's logits and features with its teacher's: means over images."""

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values, defined

COLUMNS = {
    "logit_cosine": Column("cosine of logits", ".3f"),
    "cosine": Column("of features", ".3f", "The cosine of features needs equal widths."),
}


def compare(student: Prediction, teacher: Prediction) -> Values:
    """`logit_cosine`; of classes less the mean of an image's logits, which no prediction depends
    on. None where NaN logits enter it."""
    logits = [student.logits, teacher.logits]
    if not student.multi_label:
        logits = [x - x.mean(axis=1, keepdims=True) for x in logits]
    return {"logit_cosine": _mean_cosine(*logits)}


def compare_features(student: np.ndarray, teacher: np.ndarray) -> Values:
    """`cosine`; None where widths differ or a network has nothing but zeros."""
    return {"cosine": _mean_cosine(student, teacher)}


def _mean_cosine(student: np.ndarray, teacher: np.ndarray) -> float | None:
    """The mean over the images where neither is zero."""
    if student.shape != teacher.shape:
        return None
    norms = np.linalg.norm(student, axis=1) * np.linalg.norm(teacher, axis=1)
    there = norms != 0
    if not there.any():
        return None
    return defined(((student * teacher).sum(axis=1)[there] / norms[there]).mean())
