"""Cosine similarity against scikit-learn and PyTorch."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import paired_cosine_distances

from kdjax.evaluation import measures
from kdjax.evaluation.measures import cosine

RNG = np.random.default_rng(0)


def test_features_are_scikit_learns_and_need_equal_widths():
    student, teacher = RNG.normal(size=(2, 30, 9))
    expected = 1 - paired_cosine_distances(student, teacher).mean()
    assert cosine.compare_features(student, teacher)["cosine"] == pytest.approx(expected)
    assert cosine.compare_features(student, teacher[:, :4]) == {"cosine": None}
    assert cosine.compare_features(student, np.zeros_like(student)) == {"cosine": None}
    # Images without any feature do not count.
    teacher[10:] = 0.0
    expected = 1 - paired_cosine_distances(student[:10], teacher[:10]).mean()
    assert cosine.compare_features(student, teacher)["cosine"] == pytest.approx(expected)


@pytest.mark.parametrize("multi_label", [False, True])
def test_logits_of_classes_are_compared_without_their_mean(multi_label):
    logits = torch.tensor(RNG.normal(size=(2, 40, 7)) + 2.0)
    pair = [measures.prediction(x.numpy(), multi_label=multi_label) for x in logits]
    if not multi_label:
        logits = logits - logits.mean(dim=2, keepdim=True)
    expected = torch.nn.functional.cosine_similarity(*logits).mean().item()
    assert cosine.compare(*pair)["logit_cosine"] == pytest.approx(expected)
    pair[0].logits[0, 0] = np.nan
    assert cosine.compare(*pair) == {"logit_cosine": None}
