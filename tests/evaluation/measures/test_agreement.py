"""Agreement of predictions, counted one by one."""

import numpy as np
import pytest

from kdjax.evaluation import measures
from kdjax.evaluation.measures import agreement


@pytest.mark.parametrize("multi_label", [False, True])
def test_equal_predictions_are_counted(multi_label):
    logits = np.random.default_rng(0).normal(size=(2, 40, 7))
    student, teacher = (measures.prediction(x, multi_label=multi_label) for x in logits)
    if multi_label:
        expected = np.mean((logits[0] > 0) == (logits[1] > 0))
    else:
        expected = np.mean(logits[0].argmax(1) == logits[1].argmax(1))
    assert 0 < expected < 1
    assert agreement.compare(student, teacher) == {"agreement": expected}
    assert agreement.matrix([student, teacher]) == [[1.0, expected], [expected, 1.0]]


@pytest.mark.parametrize("multi_label", [False, True])
def test_nan_logits_agree_with_nothing(multi_label):
    logits = np.random.default_rng(0).normal(size=(10, 4))
    # Class 0 or an absent attribute is the result of comparing NaN.
    logits[:, 0] = 5.0 - 10.0 * multi_label
    lost = logits.copy()
    lost[:3] = np.nan
    pair = [measures.prediction(x, multi_label=multi_label) for x in (lost, logits)]
    assert agreement.matrix(pair) == [[0.7, 0.7], [0.7, 1.0]]
