"""Batches read from disk during training, in worker processes; equal to resident batches."""

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


class Training:
    """All batches of a stage by number, a sequence that any process can read at any position.

    Batch n is a function of (data seed, n), so resuming only needs the number of batches seen.
    """

    def __init__(self, split: Split, *, batch_size: int, seed: int, epochs: int):
        self._split, self._batch_size, self._seed = split, batch_size, seed
        self._per_epoch = len(split.id) // batch_size
        self._epochs = epochs
        self._epoch, self._order = -1, np.empty((0, batch_size), np.int32)

    def __len__(self) -> int:
        return self._epochs * self._per_epoch

    def __getitem__(self, number: int) -> HostBatch:
        epoch, position = divmod(number, self._per_epoch)
        if epoch != self._epoch:
            count, size = len(self._split.id), self._batch_size
            self._order = orders.training(count, size, seed=self._seed, epoch=epoch)
            self._epoch = epoch
        return gather(self._split, self._order[position])


class Evaluation:
    """Every example once, in order, with padding in the last batch."""

    def __init__(self, split: Split, *, batch_size: int):
        self._split = split
        self._order = orders.evaluation(len(split.id), batch_size)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: int) -> HostBatch:
        return gather(self._split, self._order[number])


def gather(split: Split, rows: np.ndarray) -> HostBatch:
    """The examples at `rows`; -1 is padding."""
    mask = rows >= 0
    rows = np.where(mask, rows, 0)
    return HostBatch(
        split.image.read(rows), split.label[rows], split.id[rows], mask.astype(np.float32)
    )


def pipeline(batches: Training | Evaluation, *, first: int = 0, workers: int = 0) -> Any:
    """A Grain data set of the batches in order, which reads a few batches ahead.

    Args:
        batches: the batches to read.
        first: the number of the first batch.
        workers: the number of reading processes; 0 reads in a thread of this process. It does not
            change the batches.
    """
    import grain

    read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
    ahead = grain.MapDataset.source(batches)[first:].to_iter_dataset(read)
    if not workers:
        return ahead
    options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
    # Batches arrive in memory that is shared with a worker, which soon needs that memory again.
    return ahead.mp_prefetch(options, worker_init_fn=_start_worker).map(_copy)


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
