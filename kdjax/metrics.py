"""Metrics as sums and counts, so that batches, devices and padding add up exactly."""

import jax.numpy as jnp

from kdjax.types import Array, Batch, Outputs, Task

Sums = dict[str, Array]


def sums(task: Task, outputs: Outputs, batch: Batch) -> Sums:
    """Masked sums over one batch: `count`, `correct` and the hard `loss`.

    A padded example may hold anything, also a value whose loss is not finite.
    """
    real = batch.mask > 0
    loss = task.hard(outputs.logits, batch.label)
    correct = task.correct(outputs.logits, batch.label)
    return {
        "count": jnp.sum(batch.mask),
        "correct": jnp.sum(jnp.where(real, correct, 0.0)),
        "loss": jnp.sum(jnp.where(real, loss, 0.0)),
    }


def means(total: dict[str, float]) -> dict[str, float]:
    """`accuracy` in [0, 1] and mean `loss`, from sums over a whole split."""
    return {
        "accuracy": total["correct"] / total["count"],
        "loss": total["loss"] / total["count"],
    }
