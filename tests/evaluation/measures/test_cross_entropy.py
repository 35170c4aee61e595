"""Cross-entropy against PyTorch."""

import numpy as np
import pytest
import torch

from kdjax.evaluation import measures
from kdjax.evaluation.measures import cross_entropy
from tests.evaluation.measures import predictions


@pytest.mark.parametrize("case", predictions.CASES.values(), ids=predictions.CASES)
def test_pytorchs(case):
    prediction, label = case
    logits, target = torch.tensor(prediction.logits), torch.tensor(label)
    if prediction.multi_label:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target.double())
    else:
        loss = torch.nn.functional.cross_entropy(logits, target)
    # A mean that NaN enters is None.
    expected = None if np.isnan(prediction.logits).any() else pytest.approx(loss.item())
    assert cross_entropy.measure(prediction, label)["loss"] == expected


def test_extreme_logits_are_finite():
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    prediction = measures.prediction(logits, multi_label=False)
    assert cross_entropy.measure(prediction, np.array([0, 0]))["loss"] == pytest.approx(1e4)
