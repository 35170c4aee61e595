"""Sums over padded batches, and the tasks behind them."""

import jax.numpy as jnp
import numpy as np
import pytest

from kdjax import metrics, tasks
from kdjax.types import Batch, Outputs


def test_padding_never_counts_even_if_not_finite():
    logits = jnp.array([[2.0, 0.0], [0.0, 2.0], [jnp.nan, jnp.inf]])
    batch = Batch(None, jnp.array([0, 0, 0]), None, jnp.array([1.0, 1.0, 0.0]))
    sums = metrics.sums(tasks.MULTI_CLASS, Outputs(logits, {}), batch)
    means = metrics.means({name: float(value) for name, value in sums.items()})
    assert sums["count"] == 2
    assert means["accuracy"] == 0.5
    expected = np.log1p(np.exp(-2)) / 2 + np.log1p(np.exp(2)) / 2
    assert means["loss"] == pytest.approx(expected, rel=1e-5)


def test_soft_labels_count_by_their_largest_class():
    labels = jnp.array([[0.7, 0.3], [0.4, 0.6]])
    logits = jnp.array([[1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(tasks.MULTI_CLASS.correct(logits, labels), [1.0, 0.0])


def test_multi_label_counts_the_share_of_attributes():
    labels = jnp.array([[1, 0, 1, 1]])
    logits = jnp.array([[0.5, -0.5, -0.5, 2.0]])
    np.testing.assert_array_equal(tasks.MULTI_LABEL.correct(logits, labels), [0.75])
