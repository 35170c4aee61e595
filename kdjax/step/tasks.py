"""The two kinds of problem, with their hard loss, soft loss and correct predictions.

Logits that are NaN predict nothing: they are wrong, whatever the label.
"""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from kdjax.losses import ce, kd, virtual
from kdjax.step.types import Array, Batch, Outputs, Task


def _correct_class(logits: Array, labels: Array) -> Array:
    target = jnp.argmax(labels, axis=-1) if labels.ndim == logits.ndim else labels
    # `argmax` would take the first NaN for the largest logit.
    predicted = ~jnp.isnan(logits).any(axis=-1)
    return (predicted & (jnp.argmax(logits, axis=-1) == target)).astype(jnp.float32)


def _correct_attributes(logits: Array, labels: Array) -> Array:
    right = (logits > 0) == (labels.astype(logits.dtype) > 0.5)
    return (right & ~jnp.isnan(logits)).astype(jnp.float32)


MULTI_CLASS = Task(
    hard=ce.cross_entropy,
    soft=kd.softmax_kl,
    soft_cross_entropy=kd.soft_cross_entropy,
    average=kd.average_softmax,
    virtual=virtual.virtual_kl,
    uniform=virtual.uniform_kl,
    correct=_correct_class,
)
MULTI_LABEL = Task(
    hard=ce.binary_cross_entropy,
    soft=kd.bernoulli_kl,
    soft_cross_entropy=kd.bernoulli_cross_entropy,
    average=kd.average_bernoulli,
    virtual=virtual.bernoulli_virtual_kl,
    uniform=virtual.bernoulli_uniform_kl,
    correct=_correct_attributes,
)


Sums = dict[str, Array]


def sums(task: Task, outputs: Outputs, batch: Batch) -> Sums:
    """Masked sums over one batch: `count`, `correct` (`[k]` for attributes) and the hard `loss`.

    A padded example may hold anything, also a value whose loss is not finite. NaN logits are wrong.
    """
    real = batch.mask > 0
    loss = task.hard(outputs.logits, batch.label)
    correct = task.correct(outputs.logits, batch.label)
    counted = real if correct.ndim == 1 else real[:, None]
    return {
        "count": jnp.sum(batch.mask),
        "correct": jnp.sum(jnp.where(counted, correct, 0.0), axis=0),
        "loss": jnp.sum(jnp.where(real, loss, 0.0)),
    }


def means(total: Mapping[str, np.ndarray], attributes: Sequence[str] = ()) -> dict[str, float]:
    """The scores on a whole split.

    Args:
        total: the results of `sums`, added over all batches.
        attributes: their names, for a multi-label task.

    Returns:
        `accuracy` in [0, 1] (the mean over attributes), `loss`, and for each attribute its own
        accuracy as `attribute/<name>`.
    """
    correct = total["correct"] / total["count"]
    by_name = zip(attributes, np.atleast_1d(correct), strict=True) if attributes else ()
    return {
        "accuracy": float(np.mean(correct)),
        "loss": float(total["loss"] / total["count"]),
        **{f"attribute/{name}": float(value) for name, value in by_name},
    }
