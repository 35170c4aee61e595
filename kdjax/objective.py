"""The weighted sum of a stage's terms, as a function of what it trains."""

import functools
import zlib
from typing import Any

import jax
import jax.numpy as jnp

from kdjax import metrics
from kdjax.program import Observed, Program
from kdjax.types import (
    Array,
    Hyper,
    Loss,
    NetState,
    Outputs,
    PyTree,
    Term,
    TermState,
    TrainState,
    View,
)


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
    own_key = key if axis is None else jax.random.fold_in(key, jax.lax.axis_index(axis))
    outputs, stats, memory = dict(observed.outputs), {}, {}
    for name in program.trained:
        network = program.networks[name]
        outputs[name], stats[name] = network.apply(
            NetState(params[name], state.networks[name].batch_stats),
            batch.image,
            train=True,
            key=named_key(own_key, network.key_name),
        )
    count = over_devices(jnp.sum(batch.mask), axis)
    total = jnp.float32(0)
    logged: dict[str, Array] = {}
    for name, term in program.terms.items():
        values, before = now.terms[name], state.terms[name].memory
        seen, weights = _apart(outputs, params)
        whole = term.batch_wide and axis is not None
        view = View(
            gathered(batch, axis) if whole else batch,
            gathered(seen, axis) if whole else seen,
            weights,
            values,
            state.step,
            named_key(key if term.batch_wide else own_key, name),
        )
        loss = term.loss(TermState(term_params[name], before), view)
        check_loss(term, loss, before, view.batch.mask.shape)
        share = functools.partial(
            _share, mask=view.batch.mask, count=count, copies=_devices(axis), whole=whole
        )
        value = share(loss.value)
        total = total + values["weight"] * value
        memory[name] = before if loss.memory is None else loss.memory
        logged[name] = value
        logged |= {f"{name}/{metric}": share(x) for metric, x in loss.metrics.items()}
    logged["loss"] = total
    for name in program.trained:
        correct = metrics.sums(program.task, outputs[name], batch)["correct"]
        logged[f"{name}/accuracy"] = jnp.mean(jax.lax.stop_gradient(correct)) / count
    return total, (stats, memory, logged)


def _apart(outputs: dict[str, Outputs], params: PyTree) -> tuple[dict[str, Outputs], PyTree]:
    """An optimisation barrier, so that XLA does not fuse a term with the networks or other terms.

    So logits and parameters round alike whatever the terms are. Features pass no barrier, since
    those that no term reads are not to be computed.
    """
    logits = {name: made.logits for name, made in outputs.items()}
    logits, params = jax.lax.optimization_barrier((logits, params))
    return {name: made._replace(logits=logits[name]) for name, made in outputs.items()}, params


def check_loss(term: Term, loss: Loss, memory: PyTree, mask_shape: tuple[int, ...]) -> None:
    """Makes sure that a term sees the global batch where it must, and keeps its memory's structure.

    Args:
        term: the term.
        loss: what its `loss` returned, or shapes of it.
        memory: the term's memory before.
        mask_shape: `(b,)`, of the batch that the term saw.

    Raises:
        ValueError: what does not hold, for the term's author.
    """
    wide = term.batch_wide
    ranks = {"its loss": loss.value, **{f"its metric {k!r}": x for k, x in loss.metrics.items()}}
    allowed = {"examples": {1}, "batch": {0}, "weights": {0}}[loss.over]
    for what, value in ranks.items():
        rank = jnp.ndim(value)
        if rank not in (allowed if what == "its loss" else {0, 1}):
            raise ValueError(f"{what} is over {loss.over}, and has {rank} axes")
        if rank == 0 and not (wide or loss.over == "weights"):
            raise ValueError(
                f"{what} is a scalar of the batch: its Term must have batch_wide=True, since under "
                "pmap it would be a scalar of one device's share"
            )
        if rank == 1 and value.shape != mask_shape:
            raise ValueError(f"{what} has shape {value.shape} for a batch of {mask_shape[0]}")
    if not wide and jax.tree.leaves(memory):
        raise ValueError(
            "it has memory: its Term must have batch_wide=True, so that all devices have the same"
        )
    if loss.memory is not None and _shapes(loss.memory) != _shapes(memory):
        raise ValueError(
            f"it returns memory {_shapes(loss.memory)}, but its init made {_shapes(memory)}"
        )


def _shapes(memory: PyTree) -> Any:
    """Its structure with shapes and types."""
    return jax.tree.map(lambda x: f"{jnp.result_type(x)}{list(jnp.shape(x))}", memory)


def _share(value: Array, *, mask: Array, count: Array, copies: int, whole: bool) -> Array:
    """A device's summand of a value or metric: summed over devices it is the global batch's.

    Args:
        value: `[b]`, or a scalar that every device has.
        mask: `[b]`.
        count: examples in the global batch.
        copies: devices.
        whole: whether `value` is of the global batch on every device.
    """
    if value.ndim == 0:
        return value / copies
    total = jnp.sum(jnp.where(mask > 0, value, 0.0)) / count
    return total / copies if whole else total


def _devices(axis: str | None) -> int:
    return 1 if axis is None else jax.lax.axis_size(axis)


def gathered(tree: PyTree, axis: str | None) -> PyTree:
    """Arrays `[b, ..]` of every device under pmap, as the global batch."""
    return jax.tree.map(lambda x: jax.lax.all_gather(x, axis, tiled=True), tree)


def over_devices(tree: PyTree, axis: str | None) -> PyTree:
    return tree if axis is None else jax.lax.psum(tree, axis)
