"""Hard labels: cross-entropy, or binary cross-entropy for multi-label tasks."""

from kdjax.terms import no_state
from kdjax.types import Loss, Task, Term, TermState, View


def make(*, task: Task, network: str, label_smoothing: float = 0.0) -> Term:
    """The task's hard loss of `network` against the labels.

    Args:
        task: the kind of problem.
        network: the network that learns.
        label_smoothing: share of the target spread evenly over the classes.
    """

    def loss(state: TermState, view: View) -> Loss:
        logits = view.outputs[network].logits
        value = task.hard(logits, view.batch.label, label_smoothing=label_smoothing)
        return Loss(value, over="examples")

    return Term(no_state, loss, reads=(network,))
