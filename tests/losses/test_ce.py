"""Hard losses against NumPy in float64 and PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kdjax.losses import ce

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(7, 5)).astype(np.float32) * 3
LABELS = RNG.integers(0, 5, 7).astype(np.int32)
ATTRIBUTES = RNG.integers(0, 2, (7, 5)).astype(np.int32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_pytorchs(smoothing):
    ours = ce.cross_entropy(jnp.array(LOGITS), jnp.array(LABELS), label_smoothing=smoothing)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(LOGITS, dtype=torch.float64),
        torch.tensor(LABELS, dtype=torch.int64),
        label_smoothing=smoothing,
        reduction="none",
    )
    np.testing.assert_allclose(ours, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_class_probabilities_equal_class_indices(smoothing):
    one_hot = jax.nn.one_hot(LABELS, 5)
    by_index = ce.cross_entropy(jnp.array(LOGITS), jnp.array(LABELS), label_smoothing=smoothing)
    by_row = ce.cross_entropy(jnp.array(LOGITS), one_hot, label_smoothing=smoothing)
    np.testing.assert_allclose(by_row, by_index, rtol=1e-5)


def test_binary_cross_entropy_is_the_mean_over_attributes():
    ours = ce.binary_cross_entropy(jnp.array(LOGITS), jnp.array(ATTRIBUTES))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.tensor(LOGITS, dtype=torch.float64),
        torch.tensor(ATTRIBUTES, dtype=torch.float64),
        reduction="none",
    ).mean(1)
    np.testing.assert_allclose(ours, expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "labels"), [(ce.cross_entropy, LABELS), (ce.binary_cross_entropy, ATTRIBUTES)]
)
def test_finite_at_extreme_logits(loss, labels):
    extreme = jnp.where(jnp.array(LOGITS) > 0, 1e4, -1e4)
    value, gradient = jax.value_and_grad(lambda z: loss(z, jnp.array(labels)).sum())(extreme)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
