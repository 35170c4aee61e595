"""Flow of the solution procedure: how a stage's last map relates to its first, as a Gram matrix.

Yim et al., A Gift from Knowledge Distillation, CVPR 2017, equations 1 and 2; the mean squared
difference over the matrix (the paper's sum divided by its entries), summed over the stages.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from kdjax.losses import fsp
from kdjax.step.types import Array, Context, Loss, Outputs, Task, Term, TermState, TrainingSet
from kdjax.system.errors import UserError
from kdjax.terms import activation


def make(*, task: Task, student: str, teacher: str, stages: tuple[int, ...]) -> Term:
    """The FSP loss of `student` against `teacher`, whose gradient stops.

    Args:
        task: not used.
        student: the network that learns.
        teacher: the network whose matrices are the targets.
        stages: numbers of the stages, as in `stage1_first` and `stage1_last`.

    Raises:
        UserError: no stages; in `init`, a map that does not exist, or channels that differ.
    """
    del task
    if not stages:
        raise UserError("fsp needs one stage or more")

    def maps(outputs: Mapping[str, Outputs], network: str, stage: int) -> tuple[Array, Array]:
        first, last = (f"stage{stage}_{end}" for end in ("first", "last"))
        return activation(outputs, network, first), activation(outputs, network, last)

    def init(key: Array, outputs: Mapping[str, Outputs], training_set: TrainingSet) -> TermState:
        del key, training_set
        for stage in stages:
            channels = {
                network: " and ".join(str(x.shape[-1]) for x in maps(outputs, network, stage))
                for network in (student, teacher)
            }
            if channels[student] != channels[teacher]:
                raise UserError(
                    f"fsp at stage {stage} needs equal channels: {student!r} has "
                    f"{channels[student]}, {teacher!r} has {channels[teacher]}"
                )
        return TermState(params={}, memory={})

    def loss(state: TermState, context: Context) -> Loss:
        total = sum(
            fsp.fsp(
                *maps(context.outputs, student, stage),
                *jax.lax.stop_gradient(maps(context.outputs, teacher, stage)),
            )
            for stage in stages
        )
        return Loss(jnp.asarray(total), over="examples")

    return Term(init, loss, reads=(student, teacher), learns=(student,))
