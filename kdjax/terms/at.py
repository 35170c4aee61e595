"""Attention transfer: where a student's activations are strong follows where a teacher's are.

Zagoruyko & Komodakis, Paying More Attention to Attention, arXiv:1612.03928, section 3.1. The
published variants differ by large constants, so a weight belongs to a variant:

    cosine    minus the cosine between the maps
    paper     half the distance between the normalised maps (equation 2, its beta is the weight)
    code      the mean over positions of their squared difference (the authors' code, weight 1000)

each summed over the layers.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from kdjax.losses import at
from kdjax.step.types import Array, Context, Loss, Outputs, Task, Term, TermState, TrainingSet
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError
from kdjax.terms import activation, layer_pairs

VARIANTS = {
    "cosine": at.cosine,
    "paper": lambda student, teacher: 0.5 * at.paper(student, teacher),
    "code": at.code,
}


def make(
    *, task: Task, student: str, teacher: str, layers: tuple[str, ...], variant: str = "cosine"
) -> Term:
    """The attention loss of `student` against `teacher`, whose gradient stops.

    Args:
        task: not used.
        student: the network that learns.
        teacher: the network whose maps are the targets.
        layers: names of maps of both, or `student's:teacher's` where names differ.
        variant: one of `VARIANTS`.

    Raises:
        UserError: an unknown variant, no layers; in `init`, a layer that does not exist or has a
            single position, whose attention would be constant.
    """
    del task
    if variant not in VARIANTS:
        raise unknown("variant of attention", variant, VARIANTS)
    distance = VARIANTS[variant]
    pairs = layer_pairs(layers)

    def init(key: Array, outputs: Mapping[str, Outputs], training_set: TrainingSet) -> TermState:
        del key, training_set
        for pair in pairs:
            for network, layer in zip((student, teacher), pair, strict=True):
                _check(network, layer, activation(outputs, network, layer).shape)
        return TermState(params={}, memory={})

    def loss(state: TermState, context: Context) -> Loss:
        total = sum(
            distance(
                activation(context.outputs, student, student_layer),
                jax.lax.stop_gradient(activation(context.outputs, teacher, teacher_layer)),
            )
            for student_layer, teacher_layer in pairs
        )
        return Loss(jnp.asarray(total), over="examples")

    return Term(init, loss, reads=(student, teacher), learns=(student,))


def _check(network: str, layer: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 4 or shape[1] * shape[2] == 1:
        size = " x ".join(map(str, shape[1:]))
        raise UserError(
            f"attention at layer {layer!r} of network {network!r}, which is {size}: it needs a map "
            "of more than one position"
        )
