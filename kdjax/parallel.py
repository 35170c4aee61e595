"""One step on all local devices: jit over a mesh, or pmap around the same step.

Under jit the batch is sharded and the state replicated; the compiler inserts the sums, so every
mean, BatchNorm's too, is over the global batch. Under pmap each device normalises by its own
shard, as in the papers that trained on several GPUs; statistics are averaged at evaluation.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kdjax import feed, runtime
from kdjax.errors import UserError
from kdjax.step import Program, make_eval_step, make_train_step
from kdjax.types import NetState, PyTree

AXIS = "data"


class Parallel(NamedTuple):
    """How state is laid out and steps are compiled."""

    layout: str
    """In words; a checkpoint can be restored into the layout that it was saved from."""
    devices: int
    replicate: Callable[[PyTree], PyTree]
    """Puts arguments that never change (frozen networks, data, orders) on every device."""
    spread: Callable[[PyTree], PyTree]
    """Puts a training state on the devices, in the layout that the training step keeps."""
    train_step: Callable[[Program], Callable[..., Any]]
    eval_step: Callable[[Program], Callable[..., Any]]
    collect: Callable[[dict[str, NetState]], dict[str, NetState]]
    """Networks of a training state as one replicated copy, for evaluation."""


def mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """All local devices in one row."""
    return Mesh(jax.local_devices() if devices is None else devices, (AXIS,))


def make(kind: str, devices: list[jax.Device] | None = None) -> Parallel:
    """`kind` is "jit" or "pmap".

    Raises:
        UserError: for another kind.
    """
    if kind not in ("jit", "pmap"):
        raise UserError(f"parallel is {kind!r}; there are jit and pmap")
    over = mesh(devices)
    everywhere = NamedSharding(over, PartitionSpec())
    options = runtime.compiler_options()
    compiled = functools.partial(jax.jit, out_shardings=everywhere, compiler_options=options)

    def replicate(tree: PyTree) -> PyTree:
        return jax.device_put(tree, everywhere)

    def eval_step(program: Program) -> Callable[..., Any]:
        return compiled(make_eval_step(program, feed.resident(over)))

    def jit_step(program: Program) -> Callable[..., Any]:
        step = make_train_step(program, feed.resident(over))
        return compiled(step, donate_argnums=0)

    if kind == "jit":
        count = over.devices.size
        return Parallel(
            "jit", count, replicate, replicate, jit_step, eval_step, lambda networks: networks
        )

    def pmap_step(program: Program) -> Callable[..., Any]:
        step = make_train_step(program, feed.resident_shard(AXIS), AXIS)
        return jax.pmap(
            step,
            AXIS,
            in_axes=(0, None, None, None, None, None),
            out_axes=(0, None),
            donate_argnums=0,
            devices=list(over.devices.flat),
        )

    def spread(tree: PyTree) -> PyTree:
        count = over.devices.size
        copies = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *jnp.shape(x))), tree)
        return jax.device_put(copies, NamedSharding(over, PartitionSpec(AXIS)))

    def collect(networks: dict[str, NetState]) -> dict[str, NetState]:
        single = {
            name: NetState(
                jax.tree.map(lambda x: x[0], state.params),
                jax.tree.map(lambda x: jnp.mean(x, axis=0), state.batch_stats),
            )
            for name, state in networks.items()
        }
        return replicate(single)

    count = over.devices.size
    layout = f"pmap on {count} devices"
    return Parallel(layout, count, replicate, spread, pmap_step, eval_step, collect)
