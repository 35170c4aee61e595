"""Label smoothing as a term: the divergence `KL(u || p)` from the uniform distribution.

Yuan et al., arXiv:1909.11723, equation 4: `(1 - alpha) CE + alpha KL(u || p)` differs from
cross-entropy with smoothed labels by a constant.
"""

from kdjax.step.types import Context, Loss, Task, Term, TermState
from kdjax.terms import no_state


def make(*, task: Task, network: str) -> Term:
    """The task's divergence of `network` from uniform predictions."""

    def loss(state: TermState, context: Context) -> Loss:
        return Loss(task.uniform(context.outputs[network].logits), over="examples")

    return Term(no_state, loss, reads=(network,))
