"""Accuracy and top-5 accuracy, counted image by image."""

import numpy as np
import pytest

from kdjax.evaluation import measures
from kdjax.evaluation.measures import accuracy
from tests.evaluation.measures import predictions


@pytest.mark.parametrize("case", predictions.CASES.values(), ids=predictions.CASES)
def test_the_share_of_right_answers(case):
    prediction, label = case
    known, right = predictions.answers(prediction, label)
    values = accuracy.measure(prediction, label)
    assert values["accuracy"] == right.mean()
    assert values["without_prediction"] == sum(not np.all(row) for row in known)
    if prediction.multi_label:
        by_attribute = accuracy.measure_classes(prediction, label)["accuracy"]
        np.testing.assert_allclose(by_attribute, right.mean(axis=0))


@pytest.mark.parametrize("case", predictions.CLASSES.values(), ids=predictions.CLASSES)
def test_five_chances(case):
    prediction, label = case
    values = accuracy.measure(prediction, label)
    if prediction.logits.shape[1] <= 5:
        assert values["top5_accuracy"] is None
        return
    among = [
        not np.isnan(row).any() and sum(row > row[truth]) < 5
        for row, truth in zip(prediction.logits, label, strict=True)
    ]
    assert values["top5_accuracy"] == np.mean(among)


def test_ties_are_broken_alike_for_the_first_and_the_first_five():
    logits, label = np.zeros((8, 8)), np.arange(8)
    prediction = measures.prediction(logits, multi_label=False)
    values = accuracy.measure(prediction, label)
    assert (values["accuracy"], values["top5_accuracy"]) == (1 / 8, 5 / 8)
