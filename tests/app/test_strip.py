"""Which test images the page shows."""

import types
from typing import Any

import numpy as np
import pytest

from kdjax.app import strip
from kdjax.data.types import Split
from kdjax.evaluation.measures import agreement
from kdjax.evaluation.run_evaluation import Evaluation
from kdjax.training.scores import Predictions


def evaluation(label, logits):
    """As much of an evaluation as the choice of images reads; `logits` by network."""
    attributes = ("a", "b") if label.ndim == 2 else ()
    split = Split(None, label, np.arange(len(label)))
    plan = types.SimpleNamespace(data_seed=0, data=types.SimpleNamespace(attributes=attributes))
    predictions = {name: Predictions(values, {}) for name, values in logits.items()}
    plan_part: Any = plan
    return Evaluation(
        record={}, plan=plan_part, networks={}, predictions=predictions, digests={}, split=split
    )


def one_hot(classes):
    return 5.0 * np.eye(3)[classes]


def test_a_third_are_images_that_tell_networks_apart():
    label = np.arange(300) % 3
    teacher, student = label.copy(), label.copy()
    student[[7, 40]] = (student[[7, 40]] + 1) % 3
    # Both are wrong in the same way.
    teacher[90] = student[90] = (label[90] + 1) % 3
    evaluated = evaluation(label, {"teacher": one_hot(teacher), "student": one_hot(student)})
    chosen = strip.choose(evaluated, ["teacher", "student"], 12)
    assert chosen["telling"] == [7, 40, 90]
    assert len(chosen["spread"]) == 9
    assert not {*chosen["spread"]} & {7, 40, 90}
    assert np.bincount(label[chosen["spread"]]).tolist() == [3, 3, 3]
    assert strip.choose(evaluated, ["teacher", "student"], 3)["telling"] == [7]


def test_there_are_no_more_images_than_the_split_has():
    label = np.array([0, 1, 2, 0])
    evaluated = evaluation(label, {"x": one_hot(label)})
    chosen = strip.choose(evaluated, ["x"], 36)
    assert sorted(chosen["spread"]) == [0, 1, 2, 3]
    assert chosen["telling"] == []


def test_attributes_disagree_in_one_of_them():
    decisions = np.array([[[1, 0], [1, 1]], [[1, 0], [0, 1]]])
    assert agreement.disputed(decisions).tolist() == [False, True]


def test_probabilities_are_of_classes_or_of_attributes():
    logits = np.array([[0.0, np.log(3.0)]])
    assert strip.probabilities(logits, multi_label=False) == pytest.approx(np.array([[0.25, 0.75]]))
    assert strip.probabilities(logits, multi_label=True) == pytest.approx(np.array([[0.5, 0.75]]))
