"""Regression on a teacher's features, each dimension of which is standardised."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

_LARGEST_COUNT = 1e6
"""Beyond so many examples older ones count less, so that float32 still adds new ones."""


class Statistics(NamedTuple):
    """The mean and the variance of each dimension over the examples so far."""

    examples: Array
    """float32 scalar: the number of examples."""
    mean: Array
    """`[c]`."""
    variance: Array
    """`[c]`, over examples and positions, not corrected for their number."""


def initial(width: int) -> Statistics:
    """The statistics of no examples, for features of `width` dimensions."""
    return Statistics(jnp.zeros(()), jnp.zeros(width), jnp.zeros(width))


def updated(statistics: Statistics, features: Array, mask: Array) -> Statistics:
    """The statistics with the examples of one batch.

    Means and variances of two sets are joined as Chan, Golub and LeVeque do (Algorithms for
    computing the sample variance, The American Statistician 37, 1983, equations 2.1), which loses
    no digits where the mean is large.

    Args:
        statistics: of the examples so far.
        features: maps `[b, h, w, c]` or vectors `[b, c]`.
        mask: `[b]`, 1 for an example and 0 for padding.
    """
    features = features.reshape(features.shape[0], -1, features.shape[-1])
    weight = mask[:, None, None] * jnp.ones_like(features[..., :1])
    total = jnp.maximum(jnp.sum(weight), 1.0)
    # A padded example may hold anything.
    features = jnp.where(weight > 0, features, 0.0)
    mean = jnp.sum(weight * features, axis=(0, 1)) / total
    variance = jnp.sum(weight * jnp.square(features - mean[None, None]), axis=(0, 1)) / total
    new = jnp.sum(mask)
    count = statistics.examples + new
    share = new / jnp.maximum(count, 1.0)
    difference = mean - statistics.mean
    return Statistics(
        examples=jnp.minimum(count, _LARGEST_COUNT),
        mean=statistics.mean + share * difference,
        variance=(1.0 - share) * statistics.variance
        + share * variance
        + share * (1.0 - share) * jnp.square(difference),
    )


def standardise(features: Array, statistics: Statistics, epsilon: float = 1e-5) -> Array:
    """`(x - mean) / sqrt(variance + epsilon)` for each dimension, of maps or of vectors.

    A dimension that never changes becomes 0.
    """
    shape = (1,) * (features.ndim - 1) + (-1,)
    mean, variance = statistics.mean.reshape(shape), statistics.variance.reshape(shape)
    return (features - mean) / jnp.sqrt(variance + epsilon)
