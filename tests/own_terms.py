"""A term that owns a projector and gradient-free memory, as a user's own file would have it."""

import jax
import jax.numpy as jnp

from kdjax.step.types import Loss, Term, TermState


def make(*, task, network):
    """The squared distance of projected logits from their moving average."""

    def init(key, outputs, training_set):
        k = outputs[network].logits.shape[-1]
        projector = jax.random.normal(key, (k, k)) / k
        return TermState({"projector": projector}, {"mean": jnp.zeros(k), "seen": jnp.int32(0)})

    def loss(state, context):
        projected = context.outputs[network].logits @ state.params["projector"]
        mean = 0.9 * state.memory["mean"] + 0.1 * jax.lax.stop_gradient(projected.mean(axis=0))
        memory = {"mean": mean, "seen": state.memory["seen"] + len(projected)}
        value = jnp.sum((projected - mean[None]) ** 2, axis=-1)
        return Loss(value, "examples", memory=memory)

    return Term(init, loss, (network,), batch_wide=True)
