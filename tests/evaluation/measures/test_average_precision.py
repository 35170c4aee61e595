"""Average precision by its definition, at every threshold of the scores."""

import numpy as np
import pytest

from kdjax.evaluation.measures import average_precision
from tests.evaluation.measures import predictions


def by_definition(scores, label):
    """The sum of precision times the growth of recall, from the highest score to the lowest."""
    total, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        taken = label[scores >= threshold]
        recall = taken.sum() / label.sum()
        total += taken.mean() * (recall - before)
        before = recall
    return total


@pytest.mark.parametrize("case", predictions.ATTRIBUTES.values(), ids=predictions.ATTRIBUTES)
def test_definition(case):
    prediction, label = case
    scores = np.where(np.isnan(prediction.logits), -100.0, prediction.logits)
    expected = np.asarray(
        [
            by_definition(column, truth) if truth.any() else np.nan
            for column, truth in zip(scores.T, label.T, strict=True)
        ]
    )
    values = average_precision.measure_classes(prediction, label)["average_precision"]
    np.testing.assert_allclose(values, expected)
    mean = average_precision.measure(prediction, label)["average_precision"]
    assert mean == (None if np.isnan(expected).all() else pytest.approx(np.nanmean(expected)))


def test_infinite_logits_rank_first_and_last():
    prediction, label = predictions.attributes(4, 1)
    label[:, 0] = [1, 1, 0, 0]
    prediction.logits[:, 0] = [np.inf, 3.0, -np.inf, np.nan]
    assert average_precision.measure(prediction, label) == {"average_precision": 1.0}


def test_classes_have_none():
    assert average_precision.measure(*predictions.classes(5, 3)) == {}
