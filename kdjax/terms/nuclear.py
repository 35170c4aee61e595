"""The nuclear norm of one of a network's kernels: the sum of its singular values.

Study E adds it for the student's first kernel, as `[kh * kw * c_in, c_out]`.
"""

from typing import Any

import jax

from kdjax.losses import nuclear
from kdjax.step.types import Array, Context, Loss, PyTree, Task, Term, TermState
from kdjax.system.discover import unknown
from kdjax.terms import no_state


def make(*, task: Task, network: str, kernel: str = "Conv_0/kernel") -> Term:
    """The nuclear norm of a kernel of `network`.

    Args:
        task: not used.
        network: the network that learns.
        kernel: the kernel's path in its parameters, with `/` between names.

    Raises:
        UserError: when traced, there is no such kernel; the message lists the kernels.
    """
    del task

    def loss(state: TermState, context: Context) -> Loss:
        by_path = kernels(context.params[network])
        if kernel not in by_path:
            raise unknown(f"kernel of network {network!r}", kernel, by_path)
        return Loss(nuclear.nuclear_norm(by_path[kernel]), over="weights")

    return Term(no_state, loss, reads=(network,))


def kernels(params: PyTree) -> dict[str, Array]:
    """Every kernel of a network by its path."""
    leaves: list[tuple[Any, Array]] = jax.tree_util.tree_leaves_with_path(params)
    named = {"/".join(part.key for part in path): leaf for path, leaf in leaves}
    return {path: leaf for path, leaf in named.items() if path.endswith("kernel")}
