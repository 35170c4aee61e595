"""One step on all local devices: jit over a mesh, or pmap around the same step.

Under jit the batch is sharded and the state replicated; the compiler inserts the sums, so every
mean, BatchNorm's too, is over the global batch. Under pmap each device normalises by its own
shard, as in the papers that trained on several GPUs; statistics are averaged at evaluation.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kdjax.data.types import Split
from kdjax.step import members, predict
from kdjax.step.compiled import Jit, looped, make_train_step
from kdjax.step.types import NetState, PyTree, StageCode
from kdjax.system import runtime
from kdjax.training.feed import (
    Feed,
    Resident,
    Streaming,
    fetch_resident,
    fetch_shard,
    fetch_streamed,
)

AXIS = "data"


class Layout:
    """How arrays lie on the devices, and the compiled steps that take them so."""

    def __init__(
        self,
        kind: str,
        devices: list[jax.Device] | None = None,
        *,
        streaming: bool = False,
        workers: int = 0,
    ):
        """A layout on some devices.

        Args:
            kind: "jit" or "pmap".
            devices: all local ones by default.
            streaming: whether batches come from the host rather than from splits on the devices.
            workers: the number of processes that read streamed batches.
        """
        mesh = Mesh(jax.local_devices() if devices is None else devices, (AXIS,))
        self.devices = mesh.devices.size
        """The number of devices."""
        self._mesh, self._streaming, self._workers = mesh, streaming, workers
        self._pmap = kind == "pmap"
        self.description = f"pmap on {self.devices} devices" if self._pmap else "jit"
        """In words; a checkpoint can be restored into the layout that it was saved from."""
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._by_example = NamedSharding(mesh, PartitionSpec(AXIS))
        jit = functools.partial(jax.jit, compiler_options=runtime.compiler_options())
        self._jit = Jit(
            everywhere=functools.partial(jit, out_shardings=self._everywhere),
            by_example=functools.partial(jit, out_shardings=self._by_example),
        )
        self._fetch = fetch_streamed if streaming else fetch_resident(self._by_example)

    def feed(self, split: Split) -> Feed:
        """Batches of a split as the compiled steps take them."""
        if not self._streaming:
            return Resident(split, self._everywhere)
        shards = self.devices if self._pmap else 0
        return Streaming(split, self._by_example, shards=shards, workers=self._workers)

    def replicate(self, tree: PyTree) -> PyTree:
        """Puts arguments that never change (frozen networks, hyper-parameters) on every device."""
        return jax.device_put(tree, self._everywhere)

    def spread(self, tree: PyTree) -> PyTree:
        """Puts a training state on the devices, in the layout that the training step keeps."""
        if not self._pmap:
            return self.replicate(tree)
        count = self.devices
        copies = jax.tree.map(lambda x: jnp.broadcast_to(x, (count, *jnp.shape(x))), tree)
        return jax.device_put(copies, self._by_example)

    def collect(self, networks: dict[str, NetState]) -> dict[str, NetState]:
        """Networks of a training state as one replicated copy, for evaluation."""
        if not self._pmap:
            return networks
        return self.replicate({name: members.one_copy(state) for name, state in networks.items()})

    def train_step(self, code: StageCode, per_call: int = 1) -> Any:
        """The training step; with `per_call` > 1 it takes positions `[n]`, n <= per_call."""
        if self._pmap:
            shard = fetch_streamed if self._streaming else fetch_shard(AXIS)
            return jax.pmap(
                looped(make_train_step(code, shard, axis=AXIS), per_call),
                AXIS,
                in_axes=(0, None, None, 0 if self._streaming else None, None, None),
                out_axes=(0, None),
                donate_argnums=0,
                devices=list(self._mesh.devices.flat),
            )
        if per_call == 1:
            return make_train_step(code, self._fetch, jit=self._jit)
        steps = looped(make_train_step(code, self._fetch), per_call)
        return self._jit.everywhere(steps, donate_argnums=0)

    def eval_step(self, code: StageCode) -> Callable[..., Any]:
        """`predict.make_eval_step`, compiled; of all members of a sweep."""
        evaluate = self._jit.everywhere(predict.make_eval_step(code.member, self._fetch))
        return members.make_eval_step(code.swept, evaluate) if code.swept else evaluate

    def predict_step(self, code: StageCode, layer: str) -> Callable[..., Any]:
        """`predict.make_predict_step`, compiled."""
        return self._jit.everywhere(predict.make_predict_step(code, self._fetch, layer))

    def cache_step(self, code: StageCode) -> Any:
        """`predict.make_cache_step`, compiled."""
        return self._jit.everywhere(predict.make_cache_step(code, self._fetch))
