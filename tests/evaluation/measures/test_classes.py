"""Figures of classes against scikit-learn's, on random and on degenerate predictions."""

import numpy as np
import pytest
from sklearn import metrics

from kdjax.evaluation.measures import classes

CASES = {
    "random": (200, 12, range(12)),
    "few classes": (50, 3, range(3)),
    "a class never present": (60, 8, (0, 1, 2, 5)),
    "one example": (1, 7, range(7)),
    "one class present": (20, 6, (4,)),
}


def problem(count, width, present, *, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.choice(list(present), count).astype(np.int32)
    logits = rng.normal(size=(count, width)).astype(np.float32)
    logits[np.arange(count), label] += 1.0
    # A class never predicted.
    logits[:, width - 1] -= 20.0
    return logits, label


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("seed", [0, 1])
def test_equal_scikit_learns(case, seed):
    count, width, present = case
    logits, label = problem(count, width, present, seed=seed)
    width = logits.shape[1]
    predicted, every = logits.argmax(axis=1), list(range(width))
    p = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    p /= p.sum(axis=1, keepdims=True)
    names = [f"class {index}" for index in every]
    found = classes.figures(logits, label, names)
    assert list(found["classes"]) == names
    assert found["calibration_error"] == found["reliability"]["error"]
    assert found["accuracy"] == metrics.accuracy_score(label, predicted)
    assert found["loss"] == pytest.approx(metrics.log_loss(label, p, labels=every), rel=1e-5)
    macro = metrics.precision_recall_fscore_support(
        label, predicted, average="macro", zero_division=0
    )
    assert [found[k] for k in ("precision", "recall", "f1")] == pytest.approx(macro[:3])
    each = metrics.precision_recall_fscore_support(
        label, predicted, labels=every, average=None, zero_division=0
    )
    for key, values in zip(("precision", "recall", "f1", "support"), each, strict=True):
        assert [row[key] for row in found["classes"].values()] == pytest.approx(list(values)), key
    matrix = metrics.confusion_matrix(label, predicted, labels=every)
    np.testing.assert_array_equal(found["confusion"], matrix)
    if width > 5:
        top = metrics.top_k_accuracy_score(label, logits, k=5, labels=every)
        assert found["top5_accuracy"] == pytest.approx(top)
    else:
        assert found["top5_accuracy"] is None


def test_ties_are_broken_alike_for_the_first_and_the_first_five():
    logits, label = np.zeros((8, 8)), np.arange(8)
    assert (
        classes.top(logits, label, 1)
        == classes.figures(logits, label, "abcdefgh")["accuracy"]
        == 1 / 8
    )
    assert classes.top(logits, label, 5) == 5 / 8


def test_calibration_of_a_forecast_whose_truth_is_known():
    """Confidence 0.8 that is right 60 % of the time, and 0.6 that is right 60 % of the time."""

    def logit(p):
        return [np.log(p / (1 - p)), 0.0]

    logits = np.array([logit(0.8)] * 10 + [logit(0.6)] * 10)
    label = np.array(([0] * 6 + [1] * 4) * 2)
    found = classes.calibration(logits, label)
    assert found["error"] == pytest.approx(0.1)
    assert sum(found["count"]) == 20
    filled = [(c, a) for c, a in zip(found["confidence"], found["accuracy"], strict=True) if c]
    assert filled == [pytest.approx((0.6, 0.6)), pytest.approx((0.8, 0.6))]


def test_extreme_logits_are_finite():
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    found = classes.figures(logits, np.array([0, 0]), "abc")
    assert found["loss"] == pytest.approx(1e4)
    assert found["calibration_error"] == pytest.approx(0.5)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_examples_without_numbers_are_wrong_and_in_no_column(share):
    """As scikit-learn counts predictions of a class that is none of those."""
    logits, label = problem(80, 8, range(8))
    rng = np.random.default_rng(1)
    lost = rng.random(80) < share
    logits[lost, rng.integers(0, 8, lost.sum())] = np.nan
    predicted = np.where(lost, -1, logits.argmax(axis=1))
    found = classes.figures(logits, label, [str(index) for index in range(8)])
    assert found["without_prediction"] == lost.sum()
    assert found["accuracy"] == metrics.accuracy_score(label, predicted)
    assert found["loss"] is None
    matrix = np.asarray(found["confusion"])
    assert matrix.sum() == (~lost).sum() == sum(found["reliability"]["count"])
    assert np.trace(matrix) == round(80 * found["accuracy"])
    each = metrics.precision_recall_fscore_support(
        label, predicted, labels=range(8), average=None, zero_division=0
    )
    for key, values in zip(("precision", "recall", "f1", "support"), each, strict=True):
        assert [row[key] for row in found["classes"].values()] == pytest.approx(list(values)), key
    ranked = np.argsort(-logits, axis=1)[:, :5]
    among = (ranked == label[:, None]).any(axis=1) & ~lost
    assert found["top5_accuracy"] == among.mean()
