"""A student's features, projected, follow a teacher's standardised features; no labels are read.

The teacher needs no last layer: `pooled` or maps of any network are targets. Each dimension of a
target has mean 0 and variance 1 over the training images so far, so that no dimension counts more
because its values are larger. Ranzinger et al., PHI-S: Distribution Balancing for Label-Free
Multi-Teacher Distillation, arXiv:2410.01680, compare this with other normalisations of targets.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from kdjax.losses import features, standardised
from kdjax.step.types import (
    Array,
    Context,
    Loss,
    Outputs,
    Task,
    Term,
    TermState,
    TrainingSet,
)
from kdjax.terms import activation, layer_pairs
from kdjax.terms.features import name, project


def make(*, task: Task, student: str, teacher: str, layers: tuple[str, ...] = ("pooled",)) -> Term:
    """The mean squared error, summed over layers, against the teacher's standardised features.

    A target map is averaged over equal parts, or repeated, to the size of the student's map. The
    projector is a trained 1x1 convolution (a dense layer for vectors). The targets' statistics are
    the term's memory.

    Args:
        task: not used.
        student: the network that learns.
        teacher: the network whose features are the targets.
        layers: named activations of both, or `student's:teacher's` where names differ.
    """
    del task
    pairs = layer_pairs(layers)

    def sides(outputs: Mapping[str, Outputs], pair: tuple[str, str]) -> tuple[Array, Array]:
        of_student = activation(outputs, student, pair[0])
        of_teacher = activation(outputs, teacher, pair[1])
        if of_student.ndim != of_teacher.ndim:
            raise ValueError(f"{pair[0]} and {pair[1]}: a map and a vector cannot be compared")
        if of_student.ndim == 4 and of_student.shape[1:3] != of_teacher.shape[1:3]:
            size = (*of_student.shape[:3], of_teacher.shape[-1])
            of_teacher = jax.image.resize(of_teacher, size, "linear")
        return of_student, of_teacher

    def init(key: Array, outputs: Mapping[str, Outputs], training_set: TrainingSet) -> TermState:
        del training_set
        params, memory = {}, {}
        for index, pair in enumerate(pairs):
            source, target = sides_of_shapes(outputs, pair)
            fan_in, width = source[-1], target[-1]
            kernel = jax.nn.initializers.lecun_normal()(
                jax.random.fold_in(key, index), (fan_in, width), jnp.float32
            )
            params[name(pair)] = {"kernel": kernel, "bias": jnp.zeros(width, jnp.float32)}
            memory[name(pair)] = standardised.initial(width)
        return TermState(params, memory)

    def sides_of_shapes(
        outputs: Mapping[str, Outputs], pair: tuple[str, str]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        source, target = jax.eval_shape(lambda outputs: sides(outputs, pair), dict(outputs))
        return source.shape, target.shape

    def loss(state: TermState, context: Context) -> Loss:
        values, memory = [], {}
        for pair in pairs:
            source, target = sides(context.outputs, pair)
            target = jax.lax.stop_gradient(target)
            key = name(pair)
            memory[key] = standardised.updated(state.memory[key], target, context.batch.mask)
            target = standardised.standardise(target, memory[key])
            values.append(features.mse(project(state.params[key], source), target))
        return Loss(jnp.asarray(sum(values)), over="examples", memory=memory)

    return Term(init, loss, reads=(student, teacher), learns=(student,), batch_wide=True)
