"""Precision at 5, 10 and 20 of attributes, and what it is compared with."""

import numpy as np
import pytest

from kdjax.evaluation.measures import precision_at
from tests.evaluation.measures import predictions


def test_it_is_a_share_of_the_most_confident():
    logits = np.arange(10.0)[None]
    label = np.array([[0, 0, 0, 0, 1, 0, 1, 0, 1, 1]])
    values = precision_at.precision_at(logits, label)
    assert values == {"precision_at_5": 3 / 5, "precision_at_10": 4 / 10}


@pytest.mark.parametrize("case", predictions.ATTRIBUTES.values(), ids=predictions.ATTRIBUTES)
def test_nan_logits_rank_last(case):
    prediction, label = case
    width = prediction.logits.shape[1]
    values = precision_at.measure(prediction, label)
    assert list(values) == [f"precision_at_{at}" for at in (5, 10, 20) if at <= width]
    if width < 5:
        return
    hits = 0
    for row, truth in zip(prediction.logits, label, strict=True):
        ranked = sorted(range(width), key=lambda i: (np.isnan(row[i]), -row[i], i))
        hits += truth[ranked[:5]].sum()
    assert values["precision_at_5"] == pytest.approx(hits / 5 / len(label))


def test_references_bound_it():
    rng = np.random.default_rng(0)
    label = rng.random((500, 20)) < np.linspace(0.05, 0.9, 20)
    values = precision_at.references(label, label.mean(axis=0))
    assert values["ceiling"]["precision_at_20"] == pytest.approx(label.mean())
    by_image = np.minimum(label.sum(axis=1), 5) / 5
    assert values["ceiling"]["precision_at_5"] == pytest.approx(by_image.mean())
    assert values["prevalence"]["precision_at_5"] == pytest.approx(label[:, -5:].mean())


def test_classes_have_none():
    assert precision_at.measure(*predictions.classes(5, 30)) == {}
