"""Soft targets between any networks: offline, online or mutual, by wiring alone.

    T^2 KL(softmax(z_teacher / T) || softmax(z_student / T))

Hinton et al., arXiv:1503.02531, section 2. Wired between every ordered pair of K peers with
weight gamma / (K - 1) it is deep mutual learning, Zhang et al., arXiv:1706.00384, equation 8, with
one simultaneous update of all peers (the paper's listing updates them in turn). Several teachers
are averaged into one; one term each sums their divergences instead.
"""

import jax
import jax.numpy as jnp

from kdjax.step.types import TEMPERATURE, Array, Context, Loss, Task, Term, TermState
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError
from kdjax.terms import no_state

FORMS = ("kl", "cross_entropy")
AVERAGES = ("logits", "probabilities")


def make(
    *,
    task: Task,
    student: str,
    teacher: str | tuple[str, ...],
    form: str = "kl",
    average: str = "logits",
    scale_by_t2: bool = True,
    detach_teacher: bool = True,
    shuffle: bool = False,
) -> Term:
    """The task's soft loss of `student` against `teacher`, at the term's `temperature`.

    Args:
        task: the kind of problem.
        student: the network whose predictions follow.
        teacher: the network whose predictions are the targets, or several of them.
        form: "kl", or "cross_entropy", which differs by the teacher's entropy: same gradient for
            the student.
        average: whether several teachers' "logits" or "probabilities" are averaged.
        scale_by_t2: whether T squared multiplies the divergence.
        detach_teacher: whether the gradient stops at the teacher's logits. False trains both
            sides through the divergence (joint mutual learning).
        shuffle: a control: every example gets another example's target.

    Raises:
        UserError: an unknown form or average, or no teacher.
    """
    teachers = (teacher,) if isinstance(teacher, str) else tuple(teacher)
    if not teachers:
        raise UserError("soft targets need one teacher or more")
    if form not in FORMS:
        raise unknown("form of soft targets", form, FORMS)
    if average not in AVERAGES:
        raise unknown("average of teachers", average, AVERAGES)
    distance = task.soft if form == "kl" else task.soft_cross_entropy

    def targets(context: Context, temperature: Array) -> Array:
        logits = jnp.stack([context.outputs[name].logits for name in teachers])
        if len(teachers) == 1:
            target = logits[0]
        elif average == "logits":
            target = jnp.mean(logits, axis=0)
        else:
            target = task.average(logits, temperature)
        if shuffle:
            # By at least one place, so that no example keeps its own target.
            shift = jax.random.randint(context.key, (), 1, len(target))
            target = jnp.roll(target, shift, axis=0)
        return jax.lax.stop_gradient(target) if detach_teacher else target

    def loss(state: TermState, context: Context) -> Loss:
        temperature = context.hyper["temperature"]
        value = distance(
            context.outputs[student].logits,
            targets(context, temperature),
            temperature=temperature,
            scale_by_t2=scale_by_t2,
        )
        return Loss(value, over="examples")

    learns = (student,) if detach_teacher else (student, *teachers)
    reads = (student, *teachers)
    # Targets are shuffled over the global batch, also on several devices.
    return Term(
        no_state, loss, reads, learns, batch_wide=shuffle, hyper={"temperature": TEMPERATURE}
    )
