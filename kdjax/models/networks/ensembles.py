"""An ensemble: several networks as one, whose prediction is the mean of theirs."""

from collections.abc import Mapping

import jax.numpy as jnp

from kdjax.step.types import Array, NetState, Network, Outputs, PyTree, Task


def network(members: Mapping[str, Network], task: Task) -> Network:
    """The ensemble of `members`. It predicts, and cannot be trained.

    The softmax (for attributes, the sigmoid) of its logits is the mean of the members'
    probabilities, as in the ensembles of born-again networks (Furlanello et al., arXiv:1805.04770,
    section 3.2). `state` makes its variables.

    Args:
        members: networks by name.
        task: averages logits.

    Raises:
        ValueError: members read images of different preparation.
    """
    inputs = {(member.image_shape, member.preprocessing) for member in members.values()}
    if len(inputs) > 1:
        raise ValueError("the networks of an ensemble must read images of the same preprocessing")
    image_shape, preprocessing = inputs.pop()

    def init(key: Array) -> NetState:
        return state({name: member.init(key) for name, member in members.items()})

    def apply(
        state: NetState, image: Array, *, train: bool, key: Array | None = None
    ) -> tuple[Outputs, PyTree]:
        if train:
            raise ValueError("an ensemble of trained networks does not learn")
        logits = []
        for name, member in members.items():
            variables = NetState(state.params[name], state.batch_stats[name])
            logits.append(member.apply(variables, image, train=False)[0].logits)
        average = task.average(jnp.stack(logits), jnp.float32(1.0))
        return Outputs(average, {}), state.batch_stats

    return Network(init, apply, "+".join(members), image_shape, preprocessing)


def state(members: Mapping[str, NetState]) -> NetState:
    """The members' variables as the ensemble's."""
    return NetState(
        {name: member.params for name, member in members.items()},
        {name: member.batch_stats for name, member in members.items()},
    )
