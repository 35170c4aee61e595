"""Metrics as sums and counts, so that batches, devices and padding add up exactly."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from kdjax.types import Array, Batch, Outputs, Task

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
    """Figures of a whole split, from its sums.

    Args:
        total: sums of `sums`.
        attributes: their names, for a multi-label task.

    Returns:
        `accuracy` in [0, 1] (the mean over attributes), `loss`, and for each attribute its own
        accuracy as `attribute/<name>`.
    """
    correct = total["correct"] / total["count"]
    each = zip(attributes, np.atleast_1d(correct), strict=True) if attributes else ()
    return {
        "accuracy": float(np.mean(correct)),
        "loss": float(total["loss"] / total["count"]),
        **{f"attribute/{name}": float(value) for name, value in each},
    }
