"""Hard labels: cross-entropy, or binary cross-entropy for multi-label tasks."""

from kdjax.step.types import Context, Loss, Task, Term, TermState
from kdjax.system.errors import UserError
from kdjax.terms import no_state


def make(*, task: Task, network: str, label_smoothing: float = 0.0) -> Term:
    """The task's hard loss of `network` against the labels.

    Args:
        task: the kind of problem.
        network: the network that learns.
        label_smoothing: share of the target spread evenly over the classes.

    Raises:
        UserError: `label_smoothing` is not in [0, 1).
    """
    if not 0.0 <= label_smoothing < 1.0:
        raise UserError(f"label_smoothing is {label_smoothing}; it must be in [0, 1)")

    def loss(state: TermState, context: Context) -> Loss:
        logits = context.outputs[network].logits
        value = task.hard(logits, context.batch.label, label_smoothing=label_smoothing)
        return Loss(value, over="examples")

    return Term(no_state, loss, reads=(network,))
