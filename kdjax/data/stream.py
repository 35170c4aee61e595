"""Batches read from disk during training, in worker processes; equal to resident batches."""

import functools
import os
import signal
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from kdjax.data import orders
from kdjax.data.types import Split


class HostBatch(NamedTuple):
    """A batch on the host."""

    image: np.ndarray
    """`[b, h, w, c]` uint8."""
    label: np.ndarray
    id: np.ndarray
    mask: np.ndarray
    """`[b]` float32, 0 for padding."""


def training(
    split: Split, *, batch_size: int, seed: int, epochs: int, first: int, workers: int
) -> Any:
    """A Grain data set of a stage's batches, which reads a few batches ahead.

    Batch n is a function of (data seed, n), so resuming only needs the number of batches seen.

    Args:
        split: the examples.
        batch_size: examples per batch; the rest of an epoch is left out.
        seed: the data seed.
        epochs: the stage's number of epochs.
        first: the number of the first batch.
        workers: the number of reading processes; 0 reads in a thread of this process. It does not
            change the batches.
    """
    import grain

    count = epochs * (len(split.id) // batch_size)
    batch = functools.partial(_training_batch, split, batch_size, seed)
    ahead = _ahead(grain.MapDataset.range(count)[first:].map(batch))
    if not workers:
        return ahead
    options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
    # Batches arrive in memory that is shared with a worker, which soon needs that memory again.
    return ahead.mp_prefetch(options, worker_init_fn=_start_worker).map(_copy)


def evaluation(split: Split, batch_size: int) -> Any:
    """A Grain data set of every example once, in order, with padding in the last batch."""
    import grain

    order = orders.evaluation(len(split.id), batch_size)
    return _ahead(grain.MapDataset.source(order).map(functools.partial(gather, split)))


def gather(split: Split, rows: np.ndarray) -> HostBatch:
    """The examples at `rows`; -1 is padding."""
    mask = rows >= 0
    rows = np.where(mask, rows, 0)
    return HostBatch(
        split.image.read(rows), split.label[rows], split.id[rows], mask.astype(np.float32)
    )


def _ahead(batches: Any) -> Any:
    import grain

    return batches.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2))


def _training_batch(split: Split, batch_size: int, seed: int, number: int) -> HostBatch:
    epoch, position = divmod(number, len(split.id) // batch_size)
    order = orders.training(len(split.id), batch_size, seed=seed, epoch=epoch)
    return gather(split, order[position])


def _start_worker(worker: int, workers: int) -> None:
    """Leaves signals to the training process, which saves and then ends its workers.

    If the training process was killed, its workers end themselves.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _copy(batch: HostBatch) -> HostBatch:
    return HostBatch(*map(np.array, batch))
