"""The weighted sum of a stage's terms, as a function of what it trains."""

import zlib

import jax
import jax.numpy as jnp

from kdjax import metrics
from kdjax.program import Observed, Program
from kdjax.types import Array, Hyper, Loss, NetState, Outputs, PyTree, TermState, TrainState, View


def named_key(key: Array, name: str) -> Array:
    """A key of its own for `name`, whatever other names there are and in whatever order."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def objective(
    program: Program,
    trainable: tuple[dict[str, PyTree], dict[str, PyTree]],
    state: TrainState,
    observed: Observed,
    now: Hyper,
    key: Array,
    axis: str | None,
) -> tuple[Array, tuple[dict[str, PyTree], dict[str, PyTree], dict[str, Array]]]:
    """The weighted sum of all terms, with new statistics, new memory and metrics."""
    params, term_params = trainable
    batch = observed.batch
    outputs, stats, memory = dict(observed.outputs), {}, {}
    for name in program.trained:
        network = program.networks[name]
        outputs[name], stats[name] = network.apply(
            NetState(params[name], state.networks[name].batch_stats),
            batch.image,
            train=True,
            key=named_key(key, network.key_name),
        )
    count = over_devices(jnp.sum(batch.mask), axis)
    total = jnp.float32(0)
    logged: dict[str, Array] = {}
    for name, term in program.terms.items():
        values = now.terms[name]
        seen, weights = _apart(outputs, params)
        view = View(batch, seen, weights, values, state.step, named_key(key, name))
        loss = term.loss(TermState(term_params[name], state.terms[name].memory), view)
        value = _share(loss, batch.mask, count, axis)
        total = total + values["weight"] * value
        memory[name] = loss.memory
        logged[name] = value
        for metric, measured in loss.metrics.items():
            logged[f"{name}/{metric}"] = measured / _devices(axis)
    logged["loss"] = total
    for name in program.trained:
        correct = metrics.sums(program.task, outputs[name], batch)["correct"]
        logged[f"{name}/accuracy"] = jnp.mean(jax.lax.stop_gradient(correct)) / count
    return total, (stats, memory, logged)


def _apart(outputs: dict[str, Outputs], params: PyTree) -> tuple[dict[str, Outputs], PyTree]:
    """The same values, behind which the compiler optimises a term apart from networks and others.

    So they round alike whatever the terms are: a term of weight 0 changes not a bit. Features stay
    as they are: those that no term reads are not to be computed.
    """
    logits = {name: made.logits for name, made in outputs.items()}
    logits, params = jax.lax.optimization_barrier((logits, params))
    return {name: made._replace(logits=logits[name]) for name, made in outputs.items()}, params


def _share(loss: Loss, mask: Array, count: Array, axis: str | None) -> Array:
    """A term's value, so that the sum over devices is its value on the global batch."""
    if loss.over == "examples":
        return jnp.sum(jnp.where(mask > 0, loss.value, 0.0)) / count
    return loss.value / _devices(axis)


def _devices(axis: str | None) -> int:
    """What is alike on each of them is divided by their number, and summed over them later."""
    return 1 if axis is None else jax.lax.axis_size(axis)


def over_devices(tree: PyTree, axis: str | None) -> PyTree:
    return tree if axis is None else jax.lax.psum(tree, axis)
