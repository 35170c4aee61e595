"""A training step as compiled programs: the batch, the frozen networks on it, the update.

XLA rounds differently in every program, since it fuses operations differently. So the parts that
several runs must compute alike are programs of their own: a baseline sees the very images that a
taught student sees, and a member of a sweep learns, bit for bit, what a run of its own learns.
Under pmap, and in a loop of several steps, the whole step is one program.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kdjax.step import members, step
from kdjax.step.types import (
    Array,
    Batch,
    Epoch,
    Fetch,
    Frozen,
    Hyper,
    Observed,
    Outputs,
    PyTree,
    StageCode,
    Trained,
    TrainState,
)

Update = Callable[..., tuple[TrainState, dict[str, Array]]]
"""`update(trained, hyper, count, observed, epoch.number, position)` returns the new state and
metrics. The members of a sweep share all arguments but the first two."""


class Jit(NamedTuple):
    """`jax.jit` with a layout for the results; both take `donate_argnums`."""

    everywhere: Callable[..., Any]
    """Every device has the results."""
    by_example: Callable[..., Any]
    """The first axis of every result is divided among the devices."""


class TrainStep:
    """`train_step(state, frozen, hyper, source, epoch, position)` returns a new state and metrics.

    The two halves of a step, either as pure functions, for one program, or as compiled programs.
    """

    def __init__(self, observe: Any, update: Any):
        """`observe` returns `Observed` from all arguments but `state`; `update` is an `Update`."""
        self._observe, self._update = observe, update

    def __call__(
        self,
        state: TrainState,
        frozen: Mapping[str, Frozen],
        hyper: Any,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> tuple[TrainState, dict[str, Array]]:
        observed = self._observe(frozen, hyper, source, epoch, position)
        return self._update(state.trained, hyper, state.step, observed, epoch.number, position)

    def lower(self, state: TrainState, frozen: PyTree, hyper: Hyper, *at: Any) -> list[Any]:
        """The lowered programs of a compiled step of one member, to measure what they cost."""
        _, epoch, position = at
        observed = self._observe(frozen, hyper, *at)
        programs = [self._observe.batch.lower(hyper.data_seed, *at)]
        if frozen:
            programs.append(self._observe.outputs.lower(frozen, observed.batch, epoch.number))
        arguments = state.trained, hyper, state.step, observed, epoch.number, position
        return [*programs, self._update.lower(*arguments)]


def make_train_step(
    code: StageCode, fetch: Fetch, *, jit: Jit | None = None, axis: str | None = None
) -> TrainStep:
    """The step of a single run or of all members of a sweep.

    With `jit` each part of the step is a compiled program of its own. Without it the step is a pure
    function, to be compiled as one program.
    """
    member = code.member
    observe = ObservePrograms(member, fetch, jit) if jit else make_observe(member, fetch)
    update = make_update(member, axis)

    def compiled(update: Callable[..., Any]) -> Callable[..., Any]:
        return jit.everywhere(update, donate_argnums=0) if jit else update

    if not code.swept:
        return TrainStep(observe, compiled(update))
    first = code.swept.labels[0]

    def observe_once(frozen: PyTree, hyper: Mapping[str, Hyper], *at: Any) -> Observed:
        """All members share the data and its seed."""
        return observe(frozen, hyper[first], *at)

    return TrainStep(observe_once, members.make_update(code.swept, update, compiled))


def make_observe(code: StageCode, fetch: Fetch) -> Callable[..., Observed]:
    """`step.observe` with a `TrainStep`'s arguments, without the state."""

    def observe(frozen: PyTree, hyper: Hyper, *at: Any) -> Observed:
        _, epoch, _ = at
        return step.observe(code, frozen, fetch(*at), jnp.asarray(epoch.number), hyper.data_seed)

    return observe


class ObservePrograms:
    """`step.observe` in two programs, for the batch and for the frozen networks' outputs on it."""

    def __init__(self, code: StageCode, fetch: Fetch, jit: Jit):
        def make_batch(data_seed: Array, *at: Any) -> Batch:
            _, epoch, _ = at
            return step.augmented(code, fetch(*at), jnp.asarray(epoch.number), data_seed)

        self._code, self._jit = code, jit
        self.batch = jit.by_example(make_batch)
        self.outputs: Any = None
        """Compiled at the first step, whose arguments show which features are read."""

    def __call__(self, frozen: PyTree, hyper: Hyper, *at: Any) -> Observed:
        batch, (_, epoch, _) = self.batch(hyper.data_seed, *at), at
        if not frozen:
            return Observed(batch, {})
        if self.outputs is None:
            run = functools.partial(step.frozen_outputs, self._code)
            shapes = Observed(batch, jax.eval_shape(run, frozen, batch, jnp.int32(0)))
            select = feature_filter(self._code, frozen, shapes, hyper)
            self.outputs = self._jit.by_example(lambda *args: select(run(*args)))
        return Observed(batch, self.outputs(frozen, batch, epoch.number))


def make_update(code: StageCode, axis: str | None = None) -> Update:
    """`step.learn` with the arguments of an `Update`."""

    def update(
        trained: Trained,
        hyper: Hyper,
        count: Array,
        observed: Observed,
        epoch: Array,
        position: Array,
    ) -> tuple[TrainState, dict[str, Array]]:
        key = step.step_key(hyper.seed, epoch, position)
        return step.learn(code, TrainState(count, *trained), observed, hyper, key, axis)

    return update


def feature_filter(
    code: StageCode, frozen: Mapping[str, Frozen], observed: Observed, hyper: Hyper
) -> Callable[[Mapping[str, Outputs]], dict[str, Outputs]]:
    """A function that drops, from the frozen networks' outputs, features that `learn` never reads.

    Otherwise a program would compute and return them. `learn` is traced to see what it reads, so
    all arguments may be arrays or their shapes.
    """

    def learn(observed: Observed, frozen: PyTree, hyper: Hyper) -> Any:
        _, h, w, c = observed.batch.image.shape
        state = members.initial_state(code, hyper, frozen, (h, w, c))
        return step.learn(code, state, observed, hyper, jax.random.key(0))

    program = jax.make_jaxpr(learn)(observed, frozen, hyper).jaxpr
    leaves, structure = jax.tree.flatten(observed)
    variables = jax.tree.unflatten(structure, program.invars[: len(leaves)])
    # A term may keep a feature as it is, in its memory.
    equations = [variable for equation in program.eqns for variable in equation.invars]
    read = {id(variable) for variable in (*equations, *program.outvars)}

    def select(outputs: Mapping[str, Outputs]) -> dict[str, Outputs]:
        return {
            network: output._replace(
                features={
                    feature: value
                    for feature, value in output.features.items()
                    if id(variables.outputs[network].features[feature]) in read
                }
            )
            for network, output in outputs.items()
        }

    return select


def looped(
    train_step: Callable[..., tuple[PyTree, PyTree]], per_call: int
) -> Callable[..., tuple[PyTree, PyTree]]:
    """Several steps as one loop on the device: positions are `[n]` then, and metrics too.

    With `per_call=1` it is the step itself.
    """
    if per_call == 1:
        return train_step

    def train_steps(state: PyTree, *arguments: Any) -> tuple[PyTree, PyTree]:
        *shared, positions = arguments
        return jax.lax.scan(lambda carry, at: train_step(carry, *shared, at), state, positions)

    return train_steps
