"""Several networks as one: the mean of their predicted probabilities."""

from collections.abc import Mapping

import jax.numpy as jnp

from kdjax.step.types import Array, NetState, Network, Outputs, PyTree, Task


def network(members: Mapping[str, Network], task: Task) -> Network:
    """The ensemble of some networks, whose state is `state` of theirs.

    Its logits are those whose probabilities (of classes, or of each attribute) are the mean of the
    members', as born-again networks' ensembles are (Furlanello et al., arXiv:1805.04770, section
    3.2). It predicts, and does not learn.

    Args:
        members: by name.
        task: says what the mean of predictions is.
    """

    def init(key: Array) -> NetState:
        return state({name: member.init(key) for name, member in members.items()})

    def apply(
        state: NetState, image: Array, *, train: bool, key: Array | None = None
    ) -> tuple[Outputs, PyTree]:
        if train:
            raise ValueError("an ensemble of trained networks does not learn")
        logits = [
            member.apply(NetState(state.params[name], state.batch_stats[name]), image, train=False)[
                0
            ].logits
            for name, member in members.items()
        ]
        average = task.average(jnp.stack(logits), jnp.float32(1.0))
        return Outputs(average, {}), state.batch_stats

    return Network(init, apply, "+".join(members))


def state(members: Mapping[str, NetState]) -> NetState:
    """The members' variables as those of one network."""
    return NetState(
        {name: member.params for name, member in members.items()},
        {name: member.batch_stats for name, member in members.items()},
    )
