"""FitNets' hint: a regressor on a student's guided layer follows a teacher's hint layer.

    1/2 || regressor(student) - teacher ||^2

Romero et al., FitNets, arXiv:1412.6550, equation 3. The regressor is one convolution without
padding whose kernel brings the student's map to the size of the teacher's, with as many channels.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from kdjax.losses import features
from kdjax.step.types import Array, Context, Loss, Outputs, Task, Term, TermState, TrainingSet
from kdjax.system.errors import UserError
from kdjax.terms import activation


def make(*, task: Task, student: str, teacher: str, guided: str, hint: str) -> Term:
    """The hint loss of `student` on `teacher`, whose gradient stops.

    Args:
        task: not used.
        student: the network that learns.
        teacher: the network whose activations are the targets.
        guided: the student's layer, a map.
        hint: the teacher's layer, a map that is no larger.

    Raises:
        UserError: in `init`, a layer that does not exist, is no map, or is too small.
    """
    del task

    def init(key: Array, outputs: Mapping[str, Outputs], training_set: TrainingSet) -> TermState:
        del training_set
        source = activation(outputs, student, guided).shape[1:]
        target = activation(outputs, teacher, hint).shape[1:]
        maps = len(source) == len(target) == 3
        if not maps or source[0] < target[0] or source[1] < target[1]:
            raise UserError(
                f"the hint needs a map at {guided!r} of {student!r} that is no smaller than "
                f"that at {hint!r} of {teacher!r}; they are {source} and {target}"
            )
        size = source[0] - target[0] + 1, source[1] - target[1] + 1
        shape = (*size, source[2], target[2])
        kernel = jax.nn.initializers.lecun_normal()(key, shape, jnp.float32)
        params = {"kernel": kernel, "bias": jnp.zeros(target[2], jnp.float32)}
        return TermState(params, memory={})

    def loss(state: TermState, context: Context) -> Loss:
        regressed = jax.lax.conv_general_dilated(
            activation(context.outputs, student, guided),
            state.params["kernel"],
            window_strides=(1, 1),
            padding="VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        regressed = regressed + state.params["bias"].reshape(1, 1, 1, -1)
        target = jax.lax.stop_gradient(activation(context.outputs, teacher, hint))
        value = features.half_squared(regressed, target)
        return Loss(value, over="examples")

    return Term(init, loss, reads=(student, teacher), learns=(student,))
