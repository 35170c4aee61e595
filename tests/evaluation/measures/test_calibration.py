"""Calibration of forecasts whose truth is known, and of random ones bin by bin."""

import numpy as np
import pytest
from scipy import special

from kdjax.evaluation import measures
from kdjax.evaluation.measures import calibration
from tests.evaluation.measures import predictions


@pytest.mark.parametrize("case", predictions.CASES.values(), ids=predictions.CASES)
def test_every_bin_is_counted(case):
    prediction, label = case
    known, right = predictions.answers(prediction, label)
    if prediction.multi_label:
        confidence = special.expit(np.abs(prediction.logits))
    else:
        confidence = special.softmax(prediction.logits, axis=1).max(axis=1)
    confidence, right = confidence[known], right[known]
    values = calibration.measure(prediction, label)["reliability"]
    assert sum(values["count"]) == known.sum()
    error = 0.0
    for index in range(15):
        inside = (confidence > index / 15) & (confidence <= (index + 1) / 15)
        assert values["count"][index] == inside.sum()
        if not inside.any():
            assert values["confidence"][index] is values["accuracy"][index] is None
            continue
        mean, share = confidence[inside].mean(), right[inside].mean()
        assert values["confidence"][index] == pytest.approx(mean)
        assert values["accuracy"][index] == pytest.approx(share)
        error += abs(mean - share) * inside.mean()
    assert values["error"] == pytest.approx(error)


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_forecast_whose_truth_is_known(multi_label):
    """Confidence 0.8 that is right 60 % of the time, and 0.65 that is right 60 % of the time."""
    sure = np.log(np.repeat([0.8 / 0.2, 0.65 / 0.35], 10))
    yes = np.array(([1] * 6 + [0] * 4) * 2)
    logits = sure[:, None] if multi_label else np.stack([0.0 * sure, sure], axis=1)
    prediction = measures.prediction(logits, multi_label=multi_label)
    values = calibration.measure(prediction, yes[:, None] if multi_label else yes)
    assert values["calibration_error"] == values["reliability"]["error"] == pytest.approx(0.125)


def test_extreme_logits():
    prediction = measures.prediction(np.array([[1e4, -1e4], [-1e4, 1e4]]), multi_label=False)
    assert calibration.measure(prediction, np.array([0, 0]))["calibration_error"] == 0.5
