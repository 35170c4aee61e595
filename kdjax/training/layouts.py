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

from kdjax.data.types import Split
from kdjax.step import members, predict
from kdjax.step.compiled import Jit, looped, make_train_step
from kdjax.step.types import NetState, PyTree, StageCode
from kdjax.system import runtime
from kdjax.system.errors import UserError
from kdjax.training import feed

AXIS = "data"


class Layout(NamedTuple):
    """How arrays lie on the devices, and the compiled steps that take them so."""

    description: str
    """In words; a checkpoint can be restored into the layout that it was saved from."""
    devices: int
    feed: Callable[[Split], feed.Feed]
    """Batches of a split as the compiled steps take them."""
    replicate: Callable[[PyTree], PyTree]
    """Puts arguments that never change (frozen networks, hyper-parameters) on every device."""
    spread: Callable[[PyTree], PyTree]
    """Puts a training state on the devices, in the layout that the training step keeps."""
    train_step: Callable[..., Any]
    """`train_step(code, per_call=1)`; with more, a call takes positions `[n]`, n <= per_call."""
    eval_step: Callable[[StageCode], Callable[..., Any]]
    predict_step: Callable[[StageCode, str], Callable[..., Any]]
    cache_step: Callable[[StageCode], Any]
    collect: Callable[[dict[str, NetState]], dict[str, NetState]]
    """Networks of a training state as one replicated copy, for evaluation."""


def mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """All local devices in one row."""
    return Mesh(jax.local_devices() if devices is None else devices, (AXIS,))


def make(
    kind: str,
    devices: list[jax.Device] | None = None,
    *,
    streaming: bool = False,
    workers: int = 0,
) -> Layout:
    """A layout on some devices.

    Args:
        kind: "jit" or "pmap".
        devices: all local ones by default.
        streaming: whether batches come from the host rather than from splits on the devices.
        workers: the number of processes that read streamed batches.

    Raises:
        UserError: for another kind.
    """
    if kind not in ("jit", "pmap"):
        raise UserError(f"parallel is {kind!r}; there are jit and pmap")
    over = mesh(devices)
    count = over.devices.size
    everywhere = NamedSharding(over, PartitionSpec())
    by_example = NamedSharding(over, PartitionSpec(AXIS))
    jit = functools.partial(jax.jit, compiler_options=runtime.compiler_options())
    jit_everywhere = functools.partial(jit, out_shardings=everywhere)
    jit_parts = Jit(jit_everywhere, functools.partial(jit, out_shardings=by_example))
    fetch = feed.streamed if streaming else feed.resident(by_example)

    def replicate(tree: PyTree) -> PyTree:
        return jax.device_put(tree, everywhere)

    def feed_of(split: Split) -> feed.Feed:
        if not streaming:
            return feed.Resident(split, everywhere)
        shards = count if kind == "pmap" else 0
        return feed.Streaming(split, by_example, shards=shards, workers=workers)

    def train_step(code: StageCode, per_call: int = 1) -> Callable[..., Any]:
        if per_call == 1:
            return make_train_step(code, fetch, jit=jit_parts)
        return jit_everywhere(looped(make_train_step(code, fetch), per_call), donate_argnums=0)

    def eval_step(code: StageCode) -> Callable[..., Any]:
        evaluate = jit_everywhere(predict.make_eval_step(code.member, fetch))
        return members.make_eval_step(code.swept, evaluate) if code.swept else evaluate

    def predict_step(code: StageCode, layer: str) -> Callable[..., Any]:
        return jit_everywhere(predict.make_predict_step(code, fetch, layer))

    def cache_step(code: StageCode) -> Any:
        return jit_everywhere(predict.make_cache_step(code, fetch))

    layout = Layout(
        description="jit",
        devices=count,
        feed=feed_of,
        replicate=replicate,
        spread=replicate,
        train_step=train_step,
        eval_step=eval_step,
        predict_step=predict_step,
        cache_step=cache_step,
        collect=lambda networks: networks,
    )
    if kind == "jit":
        return layout

    def pmap_step(code: StageCode, per_call: int = 1) -> Callable[..., Any]:
        shard = feed.streamed if streaming else feed.resident_shard(AXIS)
        return jax.pmap(
            looped(make_train_step(code, shard, axis=AXIS), per_call),
            AXIS,
            in_axes=(0, None, None, 0 if streaming else None, None, None),
            out_axes=(0, None),
            donate_argnums=0,
            devices=list(over.devices.flat),
        )

    def spread(tree: PyTree) -> PyTree:
        copies = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *jnp.shape(x))), tree)
        return jax.device_put(copies, by_example)

    def collect(networks: dict[str, NetState]) -> dict[str, NetState]:
        return replicate({name: members.one_copy(state) for name, state in networks.items()})

    return layout._replace(
        description=f"pmap on {count} devices",
        spread=spread,
        train_step=pmap_step,
        collect=collect,
    )
