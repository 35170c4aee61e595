"""Precision, recall, F1 and confusion, counted class by class."""

import numpy as np
import pytest

from kdjax.evaluation import measures
from kdjax.evaluation.measures import by_class
from tests.evaluation.measures import predictions


def counts(prediction, label):
    """`[n, k]`, whether each class or attribute is predicted, and whether it is there."""
    known, _ = predictions.answers(prediction, label)
    if prediction.multi_label:
        return (np.nan_to_num(prediction.logits) > 0) & known, label == 1
    every = np.arange(prediction.logits.shape[1])
    best = np.argmax(np.nan_to_num(prediction.logits), axis=1)
    return (best[:, None] == every) & known[:, None], label[:, None] == every


def share(part, whole):
    return part / whole if whole else 0.0


@pytest.mark.parametrize("case", predictions.CASES.values(), ids=predictions.CASES)
def test_definitions(case):
    predicted, there = counts(*case)
    values = by_class.measure_classes(*case)
    rows = []
    for place, (said, true) in enumerate(zip(predicted.T, there.T, strict=True)):
        hits = (said & true).sum()
        rows.append((share(hits, said.sum()), share(hits, true.sum())))
        f1 = share(2 * hits, said.sum() + true.sum())
        found = [values[key][place] for key in ("precision", "recall", "f1", "support")]
        assert found == pytest.approx([*rows[-1], f1, true.sum()])
    # Means are over the classes that occur.
    occurs = (predicted | there).any(axis=0)
    expected = np.mean(np.asarray(rows)[occurs], axis=0) if occurs.any() else (0.0, 0.0)
    means = by_class.measure(*case)
    assert (means["precision"], means["recall"]) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("case", predictions.CLASSES.values(), ids=predictions.CLASSES)
def test_confusion_counts_images_by_true_and_predicted_class(case):
    predicted, there = counts(*case)
    expected = there.T.astype(int) @ predicted.astype(int)
    np.testing.assert_array_equal(by_class.measure(*case)["confusion"], expected)


def test_no_image_has_any_attribute():
    prediction = measures.prediction(np.full((4, 6), -2.0), multi_label=True)
    values = by_class.measure(prediction, np.zeros((4, 6), int))
    assert values == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
