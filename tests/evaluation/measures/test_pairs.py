"""Likeness of networks against PyTorch, scikit-learn, and its own invariances."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import paired_cosine_distances

from kdjax.evaluation.measures import pairs

RNG = np.random.default_rng(0)


def test_divergence_of_classes_is_pytorchs():
    student, teacher = RNG.normal(size=(2, 40, 7)) * 3
    found = pairs.predictions(student, teacher, attributes=False)
    log_q, log_p = (torch.log_softmax(torch.tensor(x), 1) for x in (student, teacher))
    expected = torch.nn.functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    assert found["kl"] == pytest.approx(expected.item())
    assert found["agreement"] == np.mean(student.argmax(1) == teacher.argmax(1))
    same = pairs.predictions(teacher, teacher + 5.0, attributes=False)
    same["kl"] += 1.0
    assert same == pytest.approx({"kl": 1.0, "agreement": 1.0, "logit_cosine": 1.0})
    # PyTorch's cosine of logits whose mean is taken off.
    one, other = (
        torch.tensor(x) - torch.tensor(x).mean(1, keepdim=True) for x in (student, teacher)
    )
    cosine = torch.nn.functional.cosine_similarity(one, other).mean().item()
    assert found["logit_cosine"] == pytest.approx(cosine)


def test_divergence_of_attributes_is_pytorchs():
    student, teacher = RNG.normal(size=(2, 40, 7)) * 3
    found = pairs.predictions(student, teacher, attributes=True)
    one, other = (torch.distributions.Bernoulli(logits=torch.tensor(x)) for x in (teacher, student))
    expected = torch.distributions.kl_divergence(one, other).mean().item()
    assert found["kl"] == pytest.approx(expected)
    assert found["agreement"] == np.mean((student > 0) == (teacher > 0))


def test_cosine_is_scikit_learns_and_needs_equal_widths():
    one, other = RNG.normal(size=(2, 30, 9))
    found = pairs.features(one, other)
    assert found["cosine"] == pytest.approx(1 - paired_cosine_distances(one, other).mean())
    assert pairs.features(one, other[:, :4])["cosine"] is None
    assert pairs.features(one, np.zeros_like(one)) == {"cosine": None, "cka": None}


def test_alignment_ignores_rotation_scale_and_shift_and_is_hsics_ratio():
    x, y = RNG.normal(size=(50, 6)), RNG.normal(size=(50, 11))
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert pairs.linear_cka(x, 3.0 * x @ turn + 1.0) == pytest.approx(1.0)
    centre = np.eye(50) - 1 / 50
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    expected = np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))
    assert pairs.linear_cka(x, y) == pytest.approx(expected)
    assert pairs.linear_cka(x, y) < 0.5


@pytest.mark.parametrize("attributes", [False, True])
def test_logits_that_are_no_numbers_agree_with_nothing(attributes):
    logits = RNG.normal(size=(10, 4))
    # Class 0 or an absent attribute is what a comparison of NaN gives.
    logits[:, 0] = 5.0 - 10.0 * attributes
    lost = logits.copy()
    lost[:3] = np.nan
    found = pairs.predictions(lost, logits, attributes=attributes)
    assert found == {"kl": None, "agreement": 0.7, "logit_cosine": None}
    assert pairs.matrix([lost, logits], attributes=attributes) == [[0.7, 0.7], [0.7, 1.0]]
    assert pairs.features(lost, logits) == {"cosine": None, "cka": None}


@pytest.mark.parametrize("level", [1e-3, 1.0, 0.1, 1e4])
def test_features_that_vary_by_rounding_alone_have_no_alignment(level):
    """What a network in float32 puts out for a constant differs in the last places."""
    other = RNG.normal(size=(200, 5))
    constant = np.full((200, 7), level, np.float32)
    assert pairs.features(constant, other)["cka"] is None
    assert pairs.features(other, constant)["cka"] is None
    ulps = RNG.integers(-3, 4, constant.shape)
    nearly = constant + ulps.astype(np.float32) * np.spacing(constant)
    assert np.ptp(nearly) > 0
    assert pairs.features(nearly, other)["cka"] is None


def test_a_small_but_real_variation_has_an_alignment_whatever_stands_beside_it():
    small = 1.0 + 1e-4 * RNG.normal(size=(200, 3))
    assert pairs.linear_cka(small, small) == pytest.approx(1.0)
    # A feature that is large and constant, but for rounding, does not count.
    large = np.full((200, 1), 1e6, np.float32) + RNG.integers(-1, 2, (200, 1)) * np.float32(0.0625)
    beside = np.concatenate([small, large], axis=1)
    assert pairs.linear_cka(beside, small) == pytest.approx(1.0)
