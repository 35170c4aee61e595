"""How batches reach the step: a whole split on the device, gathered inside jit."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kdjax.data.types import Split
from kdjax.step import Fetch
from kdjax.types import Array, Batch


class Epoch(NamedTuple):
    """One epoch's order, uploaded once."""

    order: Array
    """`[steps, b]` int32 rows of the split, -1 for padding."""
    number: Array
    """int32: the view, which keys augmentation and dropout."""


def epoch(order: np.ndarray, number: int) -> Epoch:
    """An `Epoch` on the host, ready to be put on the devices."""
    return Epoch(np.asarray(order, np.int32), np.int32(number))  # type: ignore[arg-type]


def resident(mesh: Mesh) -> Fetch:
    """Gathers a batch from a `Split` that every device holds, sharded over the mesh."""
    sharding = NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))

    def fetch(source: Split, epoch: Epoch, position: Array) -> tuple[Batch, Array]:
        rows = jax.lax.dynamic_index_in_dim(epoch.order, position, keepdims=False)
        rows = jax.lax.with_sharding_constraint(rows, sharding)
        return _gather(source, rows), epoch.number

    return fetch


def resident_shard(axis: str) -> Fetch:
    """Gathers one device's share of a batch, inside pmap."""

    def fetch(source: Split, epoch: Epoch, position: Array) -> tuple[Batch, Array]:
        rows = jax.lax.dynamic_index_in_dim(epoch.order, position, keepdims=False)
        shards = rows.reshape(jax.lax.axis_size(axis), -1)
        mine = jax.lax.dynamic_index_in_dim(shards, jax.lax.axis_index(axis), keepdims=False)
        return _gather(source, mine), epoch.number

    return fetch


def _gather(source: Split, rows: Array) -> Batch:
    mask = rows >= 0
    rows = jnp.where(mask, rows, 0)
    image, label, index = (jnp.asarray(part)[rows] for part in source)
    return Batch(image, label, index, mask.astype(jnp.float32))
