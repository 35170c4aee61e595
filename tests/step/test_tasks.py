"""Sums over padded batches, and the tasks behind them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.step import tasks
from kdjax.step.types import Batch, Outputs


def test_padding_never_counts_even_if_not_finite():
    logits = jnp.array([[2.0, 0.0], [0.0, 2.0], [jnp.nan, jnp.inf]])
    batch = Batch(None, jnp.array([0, 0, 0]), None, jnp.array([1.0, 1.0, 0.0]))
    sums = tasks.sums(tasks.MULTI_CLASS, Outputs(logits, {}), batch)
    means = tasks.means(jax.tree.map(np.asarray, sums))
    assert sums["count"] == 2
    assert means["accuracy"] == 0.5
    expected = np.log1p(np.exp(-2)) / 2 + np.log1p(np.exp(2)) / 2
    assert means["loss"] == pytest.approx(expected, rel=1e-5)


def test_soft_labels_count_by_their_largest_class():
    labels = jnp.array([[0.7, 0.3], [0.4, 0.6]])
    logits = jnp.array([[1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_array_equal(tasks.MULTI_CLASS.correct(logits, labels), [1.0, 0.0])


def test_multi_label_is_right_or_wrong_on_each_attribute():
    labels = jnp.array([[1, 0, 1, 1]])
    logits = jnp.array([[0.5, -0.5, -0.5, 2.0]])
    np.testing.assert_array_equal(tasks.MULTI_LABEL.correct(logits, labels), [[1, 1, 0, 1]])


def test_multi_label_sums_and_means_leave_padding_out():
    labels = jnp.array([[1, 0, 1], [0, 0, 1], [1, 1, 1]])
    logits = jnp.array([[2.0, -1.0, -1.0], [-1.0, -1.0, -1.0], [jnp.nan, jnp.inf, 0.0]])
    batch = Batch(None, labels, None, jnp.array([1.0, 1.0, 0.0]))
    sums = tasks.sums(tasks.MULTI_LABEL, Outputs(logits, {}), batch)
    means = tasks.means({k: np.asarray(v) for k, v in sums.items()}, ("a", "b", "c"))
    each = [means[f"attribute/{name}"] for name in "abc"]
    assert each == [1.0, 1.0, 0.0]
    assert means["accuracy"] == pytest.approx(2 / 3)
    z, y = np.asarray(logits[:2], np.float64), np.asarray(labels[:2])
    p = 1 / (1 + np.exp(-z))
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert means["loss"] == pytest.approx(expected, rel=1e-5)


def test_mixed_attributes_count_by_the_nearer_value():
    labels = jnp.array([[0.7, 0.3]])
    logits = jnp.array([[1.0, 1.0]])
    np.testing.assert_array_equal(tasks.MULTI_LABEL.correct(logits, labels), [[1, 0]])


@pytest.mark.parametrize("label", [0, 1, 2])
def test_logits_that_are_no_numbers_are_wrong_for_every_class(label):
    rows = [[jnp.nan] * 3, [1.0, jnp.nan, 0.0], [jnp.nan, 5.0, 0.0]]
    right = tasks.MULTI_CLASS.correct(jnp.array(rows), jnp.full(3, label))
    np.testing.assert_array_equal(right, [0, 0, 0])
    # An infinite logit still is the largest.
    certain = jnp.zeros((1, 3)).at[0, label].set(jnp.inf)
    np.testing.assert_array_equal(tasks.MULTI_CLASS.correct(certain, jnp.array([label])), [1])


def test_an_attribute_without_a_number_is_neither_there_nor_absent():
    labels = jnp.array([[1, 0, 1, 0]])
    logits = jnp.array([[jnp.nan, jnp.nan, 1.0, -1.0]])
    np.testing.assert_array_equal(tasks.MULTI_LABEL.correct(logits, labels), [[0, 0, 1, 1]])
