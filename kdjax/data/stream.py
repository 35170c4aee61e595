"""Batches read from disk during training, in worker processes; equal to resident batches."""

import functools
import os
import signal
import threading
import time
from collections.abc import Callable
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
    numbers = range(epochs * (len(split.id) // batch_size))
    batch = functools.partial(_training_batch, split, batch_size, seed)
    ahead = _ahead(numbers, batch, first)
    if not workers:
        return ahead
    import grain

    options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
    # Batches arrive in memory that is shared with a worker, which soon needs that memory again.
    return ahead.mp_prefetch(options, worker_init_fn=_start_worker).map(_copy)


def evaluation(split: Split, batch_size: int) -> Any:
    """A Grain data set of every example once, in order, with padding in the last batch."""
    return _ahead(orders.evaluation(len(split.id), batch_size), functools.partial(gather, split))


def gather(split: Split, rows: np.ndarray) -> HostBatch:
    """The examples at `rows`; -1 is padding."""
    mask = rows >= 0
    rows = np.where(mask, rows, 0)
    return HostBatch(
        split.image.read(rows), split.label[rows], split.id[rows], mask.astype(np.float32)
    )


def _ahead(items: Any, batch: Callable[[Any], HostBatch], first: int = 0) -> Any:
    import grain

    read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
    return grain.MapDataset.source(items)[first:].map(batch).to_iter_dataset(read)


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
