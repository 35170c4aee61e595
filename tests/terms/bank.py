"""A term with a memory bank, a row for each training example, as a user's own file has it."""

import jax
import jax.numpy as jnp

from kdjax.step.types import Loss, Range, Term, TermState


def make(*, task, network):
    """Distance of predictions from the same example's earlier ones, and from its class's share."""

    def init(key, outputs, training_set):
        rows = int(training_set.id.max()) + 1
        shares = jnp.bincount(jnp.asarray(training_set.label), length=training_set.classes)
        bank = jnp.zeros((rows, training_set.classes)).at[:].set(shares / len(training_set.id))
        return TermState({}, {"bank": bank})

    def loss(state, context):
        bank, rows = state.memory["bank"], context.batch.id
        predictions = jax.nn.softmax(context.outputs[network].logits)
        margin = context.hyper["margin"]
        value = jnp.maximum(jnp.sum((predictions - bank[rows]) ** 2, axis=-1) - margin, 0.0)
        # Padding has id 0 and leaves the bank as it is.
        new = jnp.where(context.batch.mask[:, None] > 0, predictions, bank[rows])
        return Loss(
            value, "examples", memory={"bank": bank.at[rows].set(jax.lax.stop_gradient(new))}
        )

    return Term(init, loss, (network,), batch_wide=True, hyper={"margin": Range(0.0, 1.0)})
