"""Figures of attributes against scikit-learn's, on random and on degenerate predictions."""

import numpy as np
import pytest
from sklearn import metrics

from kdjax.evaluation.measures import attributes


def problem(count, width, seed):
    rng = np.random.default_rng(seed)
    label = (rng.random((count, width)) < rng.uniform(0.1, 0.8, width)).astype(np.uint8)
    label[:, 0] = 0
    # Rounded, so that scores tie.
    logits = np.round(rng.normal(size=(count, width)) + label, 1)
    logits[:, 1] = -3.0
    return logits, label, [f"a{i}" for i in range(width)]


@pytest.mark.parametrize(("count", "width"), [(150, 24), (30, 6), (1, 12)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equal_scikit_learns(count, width, seed):
    logits, label, names = problem(count, width, seed)
    predicted = (logits > 0).astype(int)
    found = attributes.figures(logits, label, names)
    assert found["accuracy"] == pytest.approx((predicted == label).mean())
    p = 1 / (1 + np.exp(-logits))
    each = [metrics.log_loss(label[:, i], p[:, i], labels=[0, 1]) for i in range(width)]
    assert found["loss"] == pytest.approx(np.mean(each))
    rows = [found["attributes"][name] for name in names]
    expected = metrics.precision_recall_fscore_support(
        label, predicted, average=None, zero_division=0
    )
    for key, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [row[key] for row in rows] == pytest.approx(list(values)), key
    present = [i for i in range(width) if label[:, i].any()]
    ranked = {i: metrics.average_precision_score(label[:, i], logits[:, i]) for i in present}
    for index, row in enumerate(rows):
        assert row["average_precision"] == (
            pytest.approx(ranked[index]) if index in ranked else None
        )
    assert found["average_precision"] == pytest.approx(np.mean(list(ranked.values())))
    assert [k for k in found if k.startswith("precision_at")] == [
        f"precision_at_{at}" for at in (5, 10, 20) if at <= width
    ]


def test_precision_at_5_is_a_share_of_the_five_most_confident():
    logits = np.arange(10.0)[None]
    label = np.array([[0, 0, 0, 0, 1, 0, 1, 0, 1, 1]])
    found = attributes.precision_at(logits, label)
    assert found == {"precision_at_5": 3 / 5, "precision_at_10": 4 / 10}


def test_references_bound_it():
    rng = np.random.default_rng(0)
    label = rng.random((500, 20)) < np.linspace(0.05, 0.9, 20)
    found = attributes.references(label, label.mean(axis=0))
    assert found["ceiling"]["precision_at_20"] == pytest.approx(label.mean())
    per_row = np.minimum(label.sum(axis=1), 5) / 5
    assert found["ceiling"]["precision_at_5"] == pytest.approx(per_row.mean())
    assert found["prevalence"]["precision_at_5"] == pytest.approx(label[:, -5:].mean())


def test_nothing_has_any_attribute():
    found = attributes.figures(np.full((4, 6), -2.0), np.zeros((4, 6)), list("abcdef"))
    assert found["accuracy"] == 1.0
    assert found["average_precision"] is None
    assert found["precision"] == found["recall"] == found["f1"] == 0.0


def test_attributes_without_numbers_are_wrong_and_rank_last():
    logits, label, names = problem(60, 8, 0)
    lost = np.random.default_rng(1).random(logits.shape) < 0.2
    lost[:, 7] = True
    found = attributes.figures(np.where(lost, np.nan, logits), label, names)
    right = ((logits > 0) == (label > 0)) & ~lost
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["without_prediction"] == 60
    assert found["loss"] is None
    assert sum(found["reliability"]["count"]) == (~lost).sum()
    least = np.where(lost, logits.min() - 1, logits)
    for index, name in enumerate(names):
        assert found["attributes"][name]["accuracy"] == pytest.approx(right[:, index].mean())
        expected = metrics.recall_score(label[:, index], (least > 0)[:, index], zero_division=0)
        assert found["attributes"][name]["recall"] == pytest.approx(expected)
        if label[:, index].any():
            ranked = metrics.average_precision_score(label[:, index], least[:, index])
            assert found["attributes"][name]["average_precision"] == pytest.approx(ranked)
    assert found["precision_at_5"] == attributes.precision_at(least, label)["precision_at_5"]
