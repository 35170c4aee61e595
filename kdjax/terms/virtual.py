"""Teacher-free distillation by a virtual teacher that is right with a fixed probability.

Yuan et al., Revisiting Knowledge Distillation via Label Smoothing Regularization,
arXiv:1909.11723, section 4.2, equations 8 and 9: `T^2 KL(softmax(p / T) || softmax(z / T))`, with
p = `correct` on the label and the rest spread evenly; the probabilities themselves are softened.
"""

from kdjax.step.types import TEMPERATURE, Context, Loss, Range, Task, Term, TermState
from kdjax.terms import no_state

CORRECT = Range(0.0, 1.0, open_low=True)
"""The virtual teacher's probability of the label."""


def make(
    *,
    task: Task,
    network: str,
    temper_student: bool = True,
    scale_by_t2: bool = True,
) -> Term:
    """The task's divergence of `network` from the virtual teacher.

    Hyper-parameters: `temperature`, and `correct`, the teacher's probability of the label.

    Args:
        task: the kind of problem.
        network: the network that learns.
        temper_student: whether the student's logits are divided by the temperature too. The
            authors' code does so on ImageNet, not on CIFAR.
        scale_by_t2: whether T squared multiplies the divergence.
    """

    def loss(state: TermState, context: Context) -> Loss:
        value = task.virtual(
            context.outputs[network].logits,
            context.batch.label,
            correct=context.hyper["correct"],
            temperature=context.hyper["temperature"],
            temper_student=temper_student,
            scale_by_t2=scale_by_t2,
        )
        return Loss(value, over="examples")

    return Term(
        no_state, loss, reads=(network,), hyper={"temperature": TEMPERATURE, "correct": CORRECT}
    )
