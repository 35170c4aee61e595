"""Linear centred kernel alignment: its definition, its invariances, and rounding."""

import numpy as np
import pytest

from kdjax.evaluation.measures import cka

RNG = np.random.default_rng(0)


def alignment(student, teacher):
    return cka.compare_features(student, teacher)["cka"]


def test_it_ignores_rotation_scale_and_shift_and_is_hsics_ratio():
    x, y = RNG.normal(size=(50, 6)), RNG.normal(size=(50, 11))
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    assert alignment(x, 3.0 * x @ turn + 1.0) == pytest.approx(1.0)
    centre = np.eye(50) - 1 / 50
    k, m = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    expected = np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m))
    assert alignment(x, y) == pytest.approx(expected)
    assert expected < 0.5
    x[0] = np.nan
    assert alignment(x, y) is None


@pytest.mark.parametrize("level", [0.0, 1e-3, 1.0, 0.1, 1e4])
def test_features_that_vary_by_rounding_alone_have_none(level):
    """A network's features in float32 differ in the last places, also where they are constant."""
    other = RNG.normal(size=(200, 5))
    constant = np.full((200, 7), level, np.float32)
    ulps = RNG.integers(-3, 4, constant.shape)
    nearly = constant + ulps.astype(np.float32) * np.spacing(constant) * bool(level)
    assert (np.ptp(nearly) > 0) == bool(level)
    for features in (constant, nearly):
        assert alignment(features.astype(np.float64), other) is None
        assert alignment(other, features.astype(np.float64)) is None


def test_a_small_but_real_variation_counts_whatever_stands_beside_it():
    small = 1.0 + 1e-4 * RNG.normal(size=(200, 3))
    assert alignment(small, small) == pytest.approx(1.0)
    # A feature that is large and constant, but for rounding, does not count.
    large = np.full((200, 1), 1e6, np.float32) + RNG.integers(-1, 2, (200, 1)) * np.float32(0.0625)
    beside = np.concatenate([small, large], axis=1)
    assert alignment(beside, small) == pytest.approx(1.0)
