"""How many members of a sweep fit the devices' memory at once."""

from typing import Any

import jax

from kdjax import outline
from kdjax.build import Plan, Stage
from kdjax.errors import UserError
from kdjax.types import NetState, PyTree

_SHARE = 0.8
"""Of a device's memory that a stage may take by what XLA plans."""


def fitted(plan: Plan) -> Plan:
    """With the members of every sweep in groups that fit, where nothing else was asked for.

    It is XLA's plan of one member's step that is multiplied; a device that does not say how much
    memory it has, as a CPU, is taken to have enough.

    Raises:
        UserError: not even one member fits, or several steps a call were asked for and not all fit.
    """
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    if not limit:
        return plan
    return plan._replace(stages=tuple(_grouped(plan, stage, limit) for stage in plan.stages))


def _grouped(plan: Plan, stage: Stage, limit: int) -> Stage:
    swept = stage.program.swept
    if swept is None or swept.together:
        return stage
    shared, each = needs(plan, stage)
    room, count = _SHARE * limit - shared, len(swept.labels)
    most = int(room // each)
    if most >= count:
        return stage
    if most < 1:
        raise UserError(
            f"stage {stage.name!r}: one member takes {each / 2**30:.2f} GiB beside "
            f"{shared / 2**30:.2f} GiB of images and teachers, too much for a device of "
            f"{limit / 2**30:.1f} GiB; lower config.batch_size"
        )
    if plan.steps_per_call > 1:
        raise UserError(
            f"config.steps_per_call is {plan.steps_per_call}, for which all members must fit a "
            f"device at once: of stage {stage.name!r} {most} of {count} do"
        )
    groups = -(-count // most)
    swept = swept._replace(together=-(-count // groups))
    return stage._replace(program=stage.program._replace(swept=swept), steps_per_call=1)


def needs(plan: Plan, stage: Stage) -> tuple[int, int]:
    """Bytes on a device that members share, and that each has of its own.

    Shared are images and frozen networks; a member's own are its state, its best networks so far,
    and what its step computes.
    """
    program = stage.program
    frozen = {name: _shapes(program.networks[name].init) for name in program.frozen}
    devices = len(jax.local_devices())
    made = outline.of(plan, stage, frozen, examples=-(-stage.batch_size // devices))
    learn = jax.jit(made.learn, donate_argnums=1)
    analysis = learn.lower(made.observed, made.state, made.key).compile().memory_analysis()
    assert analysis is not None, "accelerators have it"
    images = 0 if plan.streaming else plan.data.nbytes
    shared = images + _nbytes(frozen) + _nbytes(made.observed)
    return shared, analysis.temp_size_in_bytes + _nbytes(made.state) + _nbytes(made.state.networks)


def _shapes(init: Any) -> NetState:
    return jax.eval_shape(lambda: init(jax.random.key(0)))


def _nbytes(tree: PyTree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
