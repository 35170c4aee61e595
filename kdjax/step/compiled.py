"""A training step as compiled programs: the batch, the frozen networks on it, the update.

XLA rounds differently in every program, since it fuses operations differently. So the parts that
several runs must compute alike are programs of their own: a baseline sees the very images that a
taught student sees, and a member of a sweep learns, bit for bit, what a run of its own learns.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kdjax.step import pruning, step
from kdjax.step.types import (
    Array,
    Batch,
    Epoch,
    Fetch,
    Hyper,
    Observed,
    Outputs,
    PyTree,
    StageCode,
    Trained,
    TrainState,
)


class Jit(NamedTuple):
    """`jax.jit` with a layout for the results; both take `donate_argnums`."""

    everywhere: Callable[..., Any]
    """Every device has the results."""
    by_example: Callable[..., Any]
    """The first axis of every result is divided among the devices."""


class TrainStep:
    """`step(state, frozen, hyper, source, epoch, position)` gives the new state and metrics."""

    def __init__(self, code: StageCode, fetch: Fetch, jit: Jit):
        self._observe = Observe(code, fetch, jit)
        self._learn = jit.everywhere(make_learn_step(code), donate_argnums=0)

    def __call__(
        self,
        state: TrainState,
        frozen: Mapping[str, step.Frozen],
        hyper: Hyper,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> tuple[TrainState, dict[str, Array]]:
        observed = self._observe(state, frozen, hyper, source, epoch, position)
        return self._learn(state.trained, state.step, observed, hyper, epoch.number, position)

    def lower(
        self,
        state: TrainState,
        frozen: Mapping[str, step.Frozen],
        hyper: Hyper,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> list[Any]:
        """The lowered programs, to look at what they cost."""
        at = (source, epoch, position)
        observe, observed = self._observe, self._observe(state, frozen, hyper, *at)
        programs = [observe.batch.lower(hyper.data_seed, *at)]
        if frozen:
            programs.append(observe.outputs.lower(frozen, observed.batch, epoch.number))
        given = (state.trained, state.step, observed, hyper, epoch.number, position)
        return [*programs, self._learn.lower(*given)]


class Observe:
    """`step.observe` in two programs; the second puts out only those features that `learn` reads.

    Between two programs, features that no term reads would be computed and kept.
    """

    def __init__(self, code: StageCode, fetch: Fetch, jit: Jit):
        self._program, self._jit = code, jit

        def make_batch(data_seed: Array, source: PyTree, epoch: Epoch, position: Array) -> Batch:
            batch = fetch(source, epoch, position)
            return step.augmented(code, batch, jnp.asarray(epoch.number), data_seed)

        self.batch = jit.by_example(make_batch)
        self.outputs: Any = None
        """Compiled at the first step, which shows what is read."""

    def __call__(
        self,
        state: TrainState,
        frozen: Mapping[str, step.Frozen],
        hyper: Hyper,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> Observed:
        """One batch, and the frozen networks' outputs on it.

        Args:
            state: what learns from it, or any one member; for its shapes.
            frozen: variables of the frozen networks, or their answers.
            hyper: of `state`.
            source, epoch, position: where the batch is.
        """
        batch = self.batch(hyper.data_seed, source, epoch, position)
        if not frozen:
            return Observed(batch, {})
        if self.outputs is None:
            self.outputs = self._compile(state, frozen, hyper, batch)
        return Observed(batch, self.outputs(frozen, batch, epoch.number))

    def _compile(
        self, state: TrainState, frozen: Mapping[str, step.Frozen], hyper: Hyper, batch: Batch
    ) -> Any:
        code = self._program

        def outputs(
            frozen: Mapping[str, step.Frozen], batch: Batch, view: Array
        ) -> dict[str, Outputs]:
            return step.frozen_outputs(code, frozen, batch, view)

        def use(observed: Observed, state: TrainState, hyper: Hyper) -> Any:
            return step.learn(code, state, observed, hyper, jax.random.key(0))

        shapes = Observed(batch, jax.eval_shape(outputs, frozen, batch, jnp.int32(0)))
        read = pruning.features(use, shapes, state, hyper)
        return self._jit.by_example(lambda *arguments: pruning.keep(outputs(*arguments), read))


def make_learn_step(code: StageCode) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """`learn_step(trained, count, observed, hyper, view, position)`: the update.

    The count of updates is an argument of its own, which members of a sweep share.
    """

    def learn_step(
        trained: Trained,
        count: Array,
        observed: Observed,
        hyper: Hyper,
        view: Array,
        position: Array,
    ) -> tuple[TrainState, dict[str, Array]]:
        key = step.step_key(hyper.seed, view, position)
        return step.learn(code, TrainState(count, *trained), observed, hyper, key)

    return learn_step
