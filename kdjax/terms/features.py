"""Feature regression: a student's activations, projected, follow a teacher's.

The mean squared error at each layer, through a trained 1x1 convolution (a dense layer for vectors),
summed over the layers: the feature side of study B's hybrid distillation.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from kdjax.losses import features
from kdjax.step.types import (
    Array,
    Context,
    Loss,
    Outputs,
    PyTree,
    Task,
    Term,
    TermState,
    TrainingSet,
)
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError
from kdjax.terms import activation, layer_pairs

DIRECTIONS = ("student_to_teacher", "teacher_to_student")


def make(
    *,
    task: Task,
    student: str,
    teacher: str,
    layers: tuple[str, ...],
    direction: str = "student_to_teacher",
) -> Term:
    """The projected regression loss of `student` on `teacher`, whose gradient stops.

    Args:
        task: not used.
        student: the network that learns.
        teacher: the network whose activations are the targets.
        layers: named activations of both, or `student's:teacher's` where names differ.
        direction: which side is projected. `student_to_teacher` leaves the target fixed, so that
            it cannot collapse; `teacher_to_student` is what the study's text says.

    Raises:
        UserError: an unknown direction, no layers; in `init`, a layer that does not exist, or maps
            of different size.
    """
    del task
    if direction not in DIRECTIONS:
        raise unknown("direction of features", direction, DIRECTIONS)
    forward = direction == "student_to_teacher"
    pairs = layer_pairs(layers)

    def sides(outputs: Mapping[str, Outputs], pair: tuple[str, str]) -> tuple[Array, Array]:
        """The activation that is projected, and the activation that it is compared with."""
        of_student = activation(outputs, student, pair[0])
        of_teacher = activation(outputs, teacher, pair[1])
        return (of_student, of_teacher) if forward else (of_teacher, of_student)

    def init(key: Array, outputs: Mapping[str, Outputs], training_set: TrainingSet) -> TermState:
        del training_set
        params = {}
        for index, pair in enumerate(pairs):
            source, target = sides(outputs, pair)
            if source.shape[:-1] != target.shape[:-1]:
                raise UserError(
                    f"features at {pair[0]!r} of {student!r} and {pair[1]!r} of {teacher!r} differ "
                    f"in size: {sides_text(source, target)}"
                )
            fan_in, width = source.shape[-1], target.shape[-1]
            kernel = jax.nn.initializers.lecun_normal()(
                jax.random.fold_in(key, index), (fan_in, width), jnp.float32
            )
            params[name(pair)] = {"kernel": kernel, "bias": jnp.zeros(width, jnp.float32)}
        return TermState(params, memory={})

    def loss(state: TermState, context: Context) -> Loss:
        outputs = {**context.outputs, teacher: jax.lax.stop_gradient(context.outputs[teacher])}
        values = []
        for pair in pairs:
            source, target = sides(outputs, pair)
            values.append(features.mse(project(state.params[name(pair)], source), target))
        return Loss(jnp.asarray(sum(values)), over="examples")

    return Term(init, loss, reads=(student, teacher), learns=(student,))


def name(pair: tuple[str, str]) -> str:
    """The name of a pair's projector."""
    return "-".join(pair)


def project(params: PyTree, x: Array) -> Array:
    """A 1x1 convolution of maps, or a dense layer of vectors."""
    bias = params["bias"].reshape((1,) * (x.ndim - 1) + (-1,))
    return x @ params["kernel"] + bias


def sides_text(source: Array, target: Array) -> str:
    """Both shapes, without the batch."""
    return " and ".join(" x ".join(map(str, side.shape[1:])) for side in (source, target))
