"""The kinds of problem: which hard loss, which soft loss, what counts as correct.

Logits that are NaN predict nothing: they are wrong, whatever the label.
"""

import jax.numpy as jnp

from kdjax.losses import hard, soft_targets, virtual
from kdjax.types import Array, Task


def _correct_class(logits: Array, labels: Array) -> Array:
    target = jnp.argmax(labels, axis=-1) if labels.ndim == logits.ndim else labels
    # `argmax` would take the first NaN for the largest logit.
    predicted = ~jnp.isnan(logits).any(axis=-1)
    return (predicted & (jnp.argmax(logits, axis=-1) == target)).astype(jnp.float32)


def _correct_attributes(logits: Array, labels: Array) -> Array:
    right = (logits > 0) == (labels.astype(logits.dtype) > 0.5)
    return (right & ~jnp.isnan(logits)).astype(jnp.float32)


MULTI_CLASS = Task(
    hard=hard.cross_entropy,
    soft=soft_targets.softmax_kl,
    soft_cross_entropy=soft_targets.soft_cross_entropy,
    average=soft_targets.average_softmax,
    virtual=virtual.virtual_kl,
    uniform=virtual.uniform_kl,
    correct=_correct_class,
)
MULTI_LABEL = Task(
    hard=hard.binary_cross_entropy,
    soft=soft_targets.bernoulli_kl,
    soft_cross_entropy=soft_targets.bernoulli_cross_entropy,
    average=soft_targets.average_bernoulli,
    virtual=virtual.bernoulli_virtual_kl,
    uniform=virtual.bernoulli_uniform_kl,
    correct=_correct_attributes,
)
