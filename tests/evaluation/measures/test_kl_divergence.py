"""The divergence from the teacher against PyTorch."""

import numpy as np
import pytest
import torch
from torch import distributions

from kdjax.evaluation import measures
from kdjax.evaluation.measures import kl_divergence


@pytest.mark.parametrize(
    ("multi_label", "distribution"),
    [(False, distributions.Categorical), (True, distributions.Bernoulli)],
)
def test_pytorchs(multi_label, distribution):
    logits = np.random.default_rng(0).normal(size=(2, 40, 7)) * 3
    student, teacher = (measures.prediction(x, multi_label=multi_label) for x in logits)
    p, q = (distribution(logits=torch.tensor(x)) for x in logits[::-1])
    expected = distributions.kl_divergence(p, q).mean().item()
    assert kl_divergence.compare(student, teacher)["kl"] == pytest.approx(expected)
    assert kl_divergence.compare(teacher, teacher) == {"kl": 0.0}
    student.logits[0, 0] = np.nan
    assert kl_divergence.compare(student, teacher) == {"kl": None}


def test_a_constant_added_to_the_logits_of_classes_changes_nothing():
    logits = np.random.default_rng(0).normal(size=(40, 7))
    pair = [measures.prediction(x, multi_label=False) for x in (logits, logits + 5.0)]
    assert kl_divergence.compare(*pair)["kl"] == pytest.approx(0.0, abs=1e-12)
