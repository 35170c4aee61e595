"""How many members of a sweep fit the devices' memory at once, by XLA's plan of one."""

import math
from typing import Any, NamedTuple

import jax

from kdjax import feed, outline, reads
from kdjax.build import Plan, Stage
from kdjax.types import NetState, PyTree

_SHARE = 0.8
"""Of a device's memory that a stage may take by what is planned."""


class Needs(NamedTuple):
    """Bytes on one device."""

    shared: int
    """By all members: images, frozen networks, their answers, and what observing a batch takes."""
    kept: int
    """By each member, also while others are trained: its state and its best networks, twice, since
    they are copied to be saved."""
    working: int
    """By each member that one call trains."""


def members(plan: Plan, stage: Stage) -> int:
    """How many members of a stage one call can train: 1 at least, all where they fit.

    A device that does not say how much memory it has, as a CPU, is taken to have enough.
    """
    swept = stage.program.swept
    assert swept is not None
    count = len(swept.labels)
    limit = feed.memory(jax.local_devices()[0])
    if not limit:
        return count
    shared, kept, working = needs(plan, stage)
    room = _SHARE * limit - shared - count * kept
    return min(count, max(1, int(room // working)))


def needs(plan: Plan, stage: Stage) -> Needs:
    """What a stage of several members takes."""
    swept, devices = stage.program.swept, len(jax.local_devices())
    assert swept is not None
    frozen = {name: _shapes(stage.program.networks[name].init) for name in stage.program.frozen}
    made = outline.of(plan, stage, frozen, examples=-(-stage.batch_size // devices))
    read = reads.features(made.learn, made.observed, made.state, made.key)

    def observe(frozen: PyTree) -> Any:
        observed = made.observe(frozen)
        return observed._replace(outputs=reads.keep(observed.outputs, read))

    observed = jax.eval_shape(observe, frozen)
    examples = len(plan.data.splits["train"].id)
    views = made.program.views * plan.teacher_cache
    answers = sum(
        2 * views * examples * math.prod(one.shape[1:]) for one in jax.tree.leaves(observed.outputs)
    )
    images = 0 if plan.streaming else plan.data.nbytes
    state, best = _nbytes(made.state), _nbytes(made.state.networks)
    # As one computation, members' states are stacked before the step and taken apart after it.
    stacked = 2 * state if swept.vmap else 0
    return Needs(
        images + _nbytes(frozen) + answers + _nbytes(observed) + _temporary(observe, frozen),
        2 * (state + best),
        stacked + _temporary(made.learn, observed, made.state, made.key),
    )


def _temporary(function: Any, *arguments: PyTree) -> int:
    """Bytes beside arguments and results."""
    analysis = jax.jit(function).lower(*arguments).compile().memory_analysis()
    assert analysis is not None, "every backend of which the memory is known has it"
    return analysis.temp_size_in_bytes


def _shapes(init: Any) -> NetState:
    return jax.eval_shape(lambda: init(jax.random.key(0)))


def _nbytes(tree: PyTree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
