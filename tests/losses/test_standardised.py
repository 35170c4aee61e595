"""Statistics of features, batch by batch, against NumPy in float64 over all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.losses import standardised


def batches(shape, offset):
    rng = np.random.default_rng(0)
    scale = np.array([1.0, 5.0, 0.1])
    return [
        (rng.normal(size=(4, *shape, 3)) * scale + offset, np.array(mask, np.float32))
        for mask in ([1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0])
    ]


@pytest.mark.parametrize("shape", [(), (3, 5)], ids=["vectors", "maps"])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_statistics_of_batches_are_those_of_all_examples(shape, offset):
    statistics = standardised.initial(3)
    seen = []
    for features, mask in batches(shape, offset):
        # Padding may hold anything.
        padded = np.where(mask.reshape(-1, *[1] * (features.ndim - 1)) > 0, features, np.nan)
        statistics = jax.jit(standardised.updated)(
            statistics, jnp.array(padded, jnp.float32), jnp.array(mask)
        )
        seen.append(features[mask > 0].reshape(-1, 3))
        rows = np.concatenate(seen)
        np.testing.assert_allclose(statistics.mean, rows.mean(axis=0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(statistics.variance, rows.var(axis=0), rtol=2e-4)
    assert statistics.examples == 9
    every = jnp.array(batches(shape, offset)[0][0], jnp.float32)
    result = standardised.standardise(every, statistics)
    expected = (np.asarray(every) - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + 1e-5)
    np.testing.assert_allclose(result, expected, rtol=2e-3, atol=2e-3)


def test_a_dimension_that_never_changes_becomes_zero():
    features = jnp.full((4, 2), 7.0)
    statistics = standardised.updated(standardised.initial(2), features, jnp.ones(4))
    np.testing.assert_allclose(standardised.standardise(features, statistics), 0.0, atol=1e-3)


def test_a_batch_of_padding_changes_nothing():
    features = jnp.arange(8.0).reshape(4, 2)
    before = standardised.updated(standardised.initial(2), features, jnp.ones(4))
    after = standardised.updated(before, jnp.full((4, 2), jnp.nan), jnp.zeros(4))
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x, y)
