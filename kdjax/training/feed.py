"""How batches reach the step: gathered inside jit from a split on the device, or streamed to it.

Both ways give the same batches: their order is a function of (data seed, epoch), and a stage can
begin at any of them.
"""

import contextlib
import gc
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.typing import ArrayLike

from kdjax.data import orders, stream
from kdjax.data.types import Split
from kdjax.step.types import Array, Batch, Epoch, Fetch, PyTree

Arguments = tuple[PyTree, Epoch, Any]
"""A step's `source`, `epoch` and `position`: int32, or `[n]` of them for n steps of one call."""


class Source(NamedTuple):
    """A whole split on the devices."""

    image: ArrayLike
    label: ArrayLike
    id: ArrayLike


class Resident:
    """A split that every device holds; batches are gathered inside jit."""

    def __init__(self, split: Split, everywhere: NamedSharding):
        self.count = len(split.id)
        """The number of examples."""
        self._everywhere = everywhere
        self._source = self._put(Source(split.image.read(), split.label, split.id))

    def training(
        self, *, batch_size: int, seed: int, epochs: int, first: int, per_call: int = 1
    ) -> Generator[Arguments, None, None]:
        """The batches of a stage of so many epochs, for one call each; to be closed.

        `seed` is `data.seed`, `first` the number of batches that are skipped, and `per_call` the
        number of batches for one call; the first call of an epoch may have fewer.
        """
        begin, position = divmod(first, self.count // batch_size)
        for number in range(begin, epochs):
            order = orders.training(self.count, batch_size, seed=seed, epoch=number)
            epoch = self._put(Epoch(order, np.int32(number)))
            for call in calls(position, len(order), per_call):
                positions = np.arange(call.start, call.stop, dtype=np.int32)
                yield self._source, epoch, positions if per_call > 1 else positions[0]
            position = 0

    def evaluation(self, batch_size: int) -> Generator[Arguments, None, None]:
        """Every example once; the last batch is padded."""
        order = orders.evaluation(self.count, batch_size)
        epoch = self._put(Epoch(order, np.int32(0)))
        for index in range(len(order)):
            yield self._source, epoch, np.int32(index)

    def _put(self, tree: Any) -> Any:
        return jax.device_put(tree, self._everywhere)


class Streaming:
    """A split on disk, with the methods of `Resident`; every call makes one step (`per_call` is 1).

    A bounded number of batches is read and put on the devices ahead of time.
    """

    def __init__(self, split: Split, over: NamedSharding, *, shards: int, workers: int):
        """`over` lays out a batch's first axis; `shards` > 0 gives batches a device axis (pmap)."""
        self.count = len(split.id)
        self._split, self._over = split, over
        self._shards, self._workers = shards, workers

    def training(
        self, *, batch_size: int, seed: int, epochs: int, first: int, per_call: int = 1
    ) -> Generator[Arguments, None, None]:
        ahead = stream.training(
            self._split,
            batch_size=batch_size,
            seed=seed,
            epochs=epochs,
            first=first,
            workers=self._workers,
        )
        if self._shards:
            ahead = ahead.map(self._by_device)
        per_epoch = self.count // batch_size
        try:
            with contextlib.closing(self._on_devices(ahead)) as arrived:
                for number, batch in enumerate(arrived, start=first):
                    epoch, position = divmod(number, per_epoch)
                    yield batch, Epoch(None, np.int32(epoch)), np.int32(position)
        finally:
            # Reference cycles in Grain's objects hold memory that is shared with the workers.
            gc.collect()

    def evaluation(self, batch_size: int) -> Generator[Arguments, None, None]:
        ahead = stream.evaluation(self._split, batch_size)
        with contextlib.closing(self._on_devices(ahead)) as arrived:
            for position, batch in enumerate(arrived):
                yield batch, Epoch(None, np.int32(0)), np.int32(position)

    def _on_devices(self, ahead: Any) -> Any:
        import grain.experimental

        put = grain.experimental.device_put
        return iter(put(ahead, self._over, cpu_buffer_size=1, device_buffer_size=2))

    def _by_device(self, batch: stream.HostBatch) -> stream.HostBatch:
        return jax.tree.map(lambda x: x.reshape(self._shards, -1, *x.shape[1:]), batch)


Feed = Resident | Streaming
"""Batches of one split, as arguments of a compiled step."""


def calls(position: int, steps: int, per_call: int) -> Iterator[range]:
    """The positions of one epoch's steps from `position` on, for each call.

    The steps that do not fill a call begin the epoch, so that both lengths are compiled by its
    second call. A call ends at the same step wherever the first call begins.
    """
    while position < steps:
        end = steps - (steps - position - 1) // per_call * per_call
        yield range(position, end)
        position = end


def fetch_resident(sharding: NamedSharding) -> Fetch:
    """Gathers a batch from a `Source` that every device holds, sharded over the mesh."""

    def fetch(source: Source, epoch: Epoch, position: Array) -> Batch:
        return _gather(source, jax.lax.with_sharding_constraint(_rows(epoch, position), sharding))

    return fetch


def fetch_shard(axis: str) -> Fetch:
    """Gathers one device's share of a batch, inside pmap."""

    def fetch(source: Source, epoch: Epoch, position: Array) -> Batch:
        shares = _rows(epoch, position).reshape(jax.lax.axis_size(axis), -1)
        index = jax.lax.axis_index(axis)
        return _gather(source, jax.lax.dynamic_index_in_dim(shares, index, keepdims=False))

    return fetch


def fetch_streamed(source: stream.HostBatch, epoch: Epoch, position: Array) -> Batch:
    """Takes the batch that has arrived; a device's share of it, inside pmap."""
    return Batch(*map(jnp.asarray, source))


def _rows(epoch: Epoch, position: Array) -> Array:
    return jax.lax.dynamic_index_in_dim(jnp.asarray(epoch.order), position, keepdims=False)


def _gather(source: Source, rows: Array) -> Batch:
    mask = rows >= 0
    rows = jnp.where(mask, rows, 0)
    image, label, index = (jnp.asarray(part)[rows] for part in source)
    return Batch(image, label, index, mask.astype(jnp.float32))
