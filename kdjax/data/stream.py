"""Batches read from disk while training goes on, in worker processes; the same as resident ones."""

import os
import signal
import threading
import time
from typing import Any, NamedTuple

import numpy as np

from kdjax.data import orders
from kdjax.data.types import Split


class HostBatch(NamedTuple):
    """One batch on the host."""

    image: np.ndarray
    """`[b, h, w, c]` uint8."""
    label: np.ndarray
    id: np.ndarray
    mask: np.ndarray
    """`[b]` float32, 0 for padding."""


class Training:
    """All batches of a stage by number, as a sequence that any process can read anywhere.

    What number n holds is a function of (data seed, n), so a position is all that resuming needs.
    """

    def __init__(self, split: Split, *, batch_size: int, seed: int, epochs: int):
        self._split, self._batch_size, self._seed = split, batch_size, seed
        self._per_epoch = len(split.id) // batch_size
        self._epochs = epochs
        self._order: tuple[int, np.ndarray | None] = (-1, None)

    def __len__(self) -> int:
        return self._epochs * self._per_epoch

    def __getitem__(self, number: int) -> HostBatch:
        epoch, position = divmod(number, self._per_epoch)
        known, order = self._order
        if order is None or known != epoch:
            count = len(self._split.id)
            order = orders.training(count, self._batch_size, seed=self._seed, epoch=epoch)
            self._order = (epoch, order)
        return gather(self._split, order[position])


class Evaluation:
    """Every example once, in order, the last batch padded."""

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
    """A Grain data set of the batches from number `first` on, in order, a few read ahead.

    Args:
        batches: what to read.
        first: the number of the first batch.
        workers: processes that read; 0 reads in a thread of this one. The batches are the same.
    """
    import grain

    read = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
    ahead = grain.MapDataset.source(batches)[first:].to_iter_dataset(read)
    if not workers:
        return ahead
    options = grain.MultiprocessingOptions(num_workers=workers, per_worker_buffer_size=2)
    # What arrives lies in memory shared with a worker, which is to be given back soon.
    return ahead.mp_prefetch(options, worker_init_fn=_start_worker).map(_copy)


def _start_worker(worker: int, workers: int) -> None:
    """Signals are for the process that trains: it saves, and then ends its workers.

    Where it was killed, they end by themselves.
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
