"""Losses against labels (hard targets)."""

import jax.numpy as jnp
import optax
from jax import Array


def cross_entropy(logits: Array, labels: Array, *, label_smoothing: float = 0.0) -> Array:
    """Softmax cross-entropy against labels, per example.

    `-sum_k y_k log softmax(z)_k`, with `y <- (1 - e) y + e / k` under label smoothing `e`.

    Args:
        logits: `[b, k]`.
        labels: `[b]` class indices, or `[b, k]` class probabilities.
        label_smoothing: `e` in `[0, 1)`.

    Returns:
        `[b]`, in nats.

    References:
        Szegedy et al., Rethinking the Inception Architecture, 2016, section 7 (smoothing).
    """
    if labels.ndim == logits.ndim:
        if label_smoothing:
            labels = optax.losses.smooth_labels(labels, label_smoothing)
        return optax.losses.softmax_cross_entropy(logits, labels)
    nll = optax.losses.softmax_cross_entropy_with_integer_labels(logits, labels)
    if not label_smoothing:
        return nll
    uniform = jnp.full(logits.shape, 1.0 / logits.shape[-1], logits.dtype)
    towards_uniform = optax.losses.softmax_cross_entropy(logits, uniform)
    return (1.0 - label_smoothing) * nll + label_smoothing * towards_uniform


def binary_cross_entropy(logits: Array, labels: Array, *, label_smoothing: float = 0.0) -> Array:
    """Sigmoid cross-entropy, the mean over attributes, per example.

    Args:
        logits: `[b, k]`, one logit for each attribute.
        labels: `[b, k]` in {0, 1}.
        label_smoothing: `e` in `[0, 1)`; the targets are `(1 - e) y + e / 2`.

    Returns:
        `[b]`, in nats for each attribute.
    """
    targets = labels.astype(logits.dtype)
    if label_smoothing:
        targets = (1.0 - label_smoothing) * targets + 0.5 * label_smoothing
    return jnp.mean(optax.losses.sigmoid_binary_cross_entropy(logits, targets), axis=-1)
