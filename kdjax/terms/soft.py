"""Soft targets between any two networks: offline, online or mutual, by wiring alone.

    T^2 KL(softmax(z_teacher / T) || softmax(z_student / T))

Hinton et al., arXiv:1503.02531, section 2. Wired between every ordered pair of K peers with
weight gamma / (K - 1) it is deep mutual learning, Zhang et al., arXiv:1706.00384, equation 8, with
one simultaneous update of all peers (the paper's listing updates them in turn).
"""

import jax

from kdjax.terms import no_state
from kdjax.types import Loss, Task, Term, TermState, View


def make(
    *,
    task: Task,
    student: str,
    teacher: str,
    scale_by_t2: bool = True,
    detach_teacher: bool = True,
) -> Term:
    """The task's soft loss of `student` against `teacher`, at the term's `temperature`.

    Args:
        task: the kind of problem.
        student: the network whose predictions are pulled.
        teacher: the network whose predictions are the targets.
        scale_by_t2: whether T squared multiplies the divergence.
        detach_teacher: whether the gradient stops at the teacher's logits. False trains both
            sides through the divergence (joint mutual learning).
    """

    def loss(state: TermState, view: View) -> Loss:
        targets = view.outputs[teacher].logits
        value = task.soft(
            view.outputs[student].logits,
            jax.lax.stop_gradient(targets) if detach_teacher else targets,
            temperature=view.hyper["temperature"],
            scale_by_t2=scale_by_t2,
        )
        return Loss(value, over="examples", memory=state.memory)

    return Term(no_state, loss, reads=(student, teacher))
