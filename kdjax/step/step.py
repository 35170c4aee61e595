"""One training step for every method, in two halves; pure: no config, no flags, no I/O.

`observe` augments the batch and runs the frozen networks, outside the differentiated function.
`learn` runs the trained networks, sums the weighted terms, differentiates once and updates every
network at the same time. Their parts follow in the order in which they are called.
`kdjax.step.compiled` joins and compiles the halves; `kdjax.step.types` explains the arguments.
"""

import functools
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from kdjax.step import preprocess, schedules, tasks
from kdjax.step.types import (
    TERMS,
    Array,
    Batch,
    CachedOutputs,
    Context,
    Frozen,
    Hyper,
    Loss,
    NetState,
    Network,
    Observed,
    Outputs,
    PyTree,
    StageCode,
    Term,
    TermState,
    TrainState,
)


def observe(
    code: StageCode, frozen: Mapping[str, Frozen], batch: Batch, epoch: Array, data_seed: Array
) -> Observed:
    """Augments and normalises uint8 images and runs the frozen networks on the result.

    `epoch` is the epoch's number, which keys the view of every image together with `data_seed`.
    """
    batch = augmented(code, batch, epoch, data_seed)
    return Observed(batch, frozen_outputs(code, frozen, batch, epoch))


def learn(
    code: StageCode,
    state: TrainState,
    observed: Observed,
    hyper: Hyper,
    key: Array,
    axis: str | None = None,
) -> tuple[TrainState, dict[str, Array]]:
    """One simultaneous update of every trained network and term.

    Schedules in `hyper` are evaluated here, at the state's step. `key` is this step's `step_key`,
    the same on all devices.

    Returns:
        The new state, and metrics as scalars on the device.
    """
    now = schedules.evaluate(hyper, state.step)
    trainable = (
        {name: network.params for name, network in state.networks.items()},
        {name: term.params for name, term in state.terms.items()},
    )
    differentiate = jax.grad(objective, argnums=1, has_aux=True)
    grads, (stats, memory, logged) = differentiate(code, trainable, state, observed, now, key, axis)
    grads, logged = over_devices((grads, logged), axis)

    def update(
        grads: PyTree, opt: PyTree, params: PyTree, head: tuple[str, ...] = ()
    ) -> tuple[PyTree, PyTree]:
        """New parameters and new optimiser state."""
        direction, opt = code.optimiser.update(grads, opt, params)
        rate = now.learning_rate
        if head:
            in_trunk = [layer for layer in direction if layer not in head]
            trunk = {layer: direction[layer] for layer in in_trunk}
            trunk = jax.tree.map(lambda d: (now.trunk_rate * d).astype(d.dtype), trunk)
            direction = {**direction, **trunk}
        return jax.tree.map(lambda p, d: p - (rate * d).astype(p.dtype), params, direction), opt

    networks, opt = {}, {}
    for name in code.trained:
        before = state.networks[name]
        learning = functools.partial(_learning, code.only.get(name))
        params, opt[name] = update(
            learning(grads[0][name]), state.opt[name], before.params, code.heads.get(name, ())
        )
        networks[name] = NetState(
            learning(params, before.params), learning(stats[name], before.batch_stats)
        )
    term_params, opt[TERMS] = update(grads[1], state.opt[TERMS], trainable[1])
    terms = {name: TermState(term_params[name], memory[name]) for name in code.terms}
    logged["learning_rate"] = now.learning_rate
    if hyper.trunk_rate is not None and schedules.moves(hyper.trunk_rate):
        logged["trunk_rate"] = now.trunk_rate
    for name, parts in hyper.terms.items():
        moving = [part for part, value in parts.items() if schedules.moves(value)]
        logged |= {f"{name}/{part}": now.terms[name][part] for part in moving}
    return TrainState(state.step + 1, networks, terms, opt), logged


def augmented(code: StageCode, batch: Batch, epoch: Array, data_seed: Array) -> Batch:
    """The batch as networks see it, from uint8 images `[b, h, w, c]`: augmented and normalised."""
    batch = batch._replace(image=batch.image.astype(jnp.float32) / 255.0)
    return normalised(code, code.augment(batch, _view(code, epoch), data_seed))


def normalised(code: StageCode, batch: Batch) -> Batch:
    """A batch of images in [0, 1] as the code's networks read it."""
    own = any(network.preprocessing is not None for network in code.networks.values())
    return batch._replace(
        image=preprocess.normalise(batch.image, code.mean, code.std),
        view=batch.image if own else None,
    )


def _view(code: StageCode, epoch: Array) -> Array:
    """The number of the epoch's view."""
    return epoch % code.views if code.views else epoch


def frozen_outputs(
    code: StageCode, frozen: Mapping[str, Frozen], batch: Batch, epoch: Array
) -> dict[str, Outputs]:
    """Every frozen network's outputs on an augmented batch, without a gradient."""
    view = _view(code, epoch)
    outputs = {name: _outputs(code, name, frozen[name], batch, view) for name in code.frozen}
    return jax.lax.stop_gradient(outputs)


def _outputs(code: StageCode, name: str, network: Frozen, batch: Batch, view: Array) -> Outputs:
    """A network's outputs in evaluation mode, or its cached outputs on this batch and view."""
    if not isinstance(network, CachedOutputs):
        image = preprocess.network_input(code.networks[name], batch)
        return code.networks[name].apply(network, image, train=False)[0]
    row = jnp.asarray(network.row)[batch.id]
    return jax.tree.map(lambda cached: cached[view, row].astype(jnp.float32), network.outputs)


def objective(
    code: StageCode,
    trainable: tuple[dict[str, PyTree], dict[str, PyTree]],
    state: TrainState,
    observed: Observed,
    now: Hyper,
    key: Array,
    axis: str | None,
) -> tuple[Array, tuple[dict[str, PyTree], dict[str, PyTree], dict[str, Array]]]:
    """The weighted sum of all terms, with new batch statistics, new memory and metrics.

    `trainable` holds the parameters of networks and of terms, `now` the values of `hyper` at this
    step; the other arguments are those of `learn`.
    """
    params, term_params = trainable
    batch = observed.batch
    device_key = key if axis is None else jax.random.fold_in(key, jax.lax.axis_index(axis))
    outputs, stats, memory = dict(observed.outputs), {}, {}
    for name in code.trained:
        network = code.networks[name]
        outputs[name], stats[name] = network.apply(
            NetState(params[name], state.networks[name].batch_stats),
            preprocess.network_input(network, batch),
            train=name not in code.running_statistics,
            key=named_key(device_key, network.key_name),
        )
    count = over_devices(jnp.sum(batch.mask), axis)
    total = jnp.float32(0)
    logged: dict[str, Array] = {}
    for name, term in code.terms.items():
        old_memory = state.terms[name].memory
        term_outputs, weights = _behind_barrier(outputs, params)
        gather = term.batch_wide and axis is not None
        context = Context(
            batch=gathered(batch, axis) if gather else batch,
            outputs=gathered(term_outputs, axis) if gather else term_outputs,
            params=weights,
            hyper=now.terms[name],
            step=state.step,
            key=named_key(key if term.batch_wide else device_key, name),
        )
        loss = term.loss(TermState(term_params[name], old_memory), context)
        check_loss(term, loss, old_memory, context.batch.mask.shape)
        values = {name: loss.value}
        values |= {f"{name}/{metric}": value for metric, value in loss.metrics.items()}
        summands = {
            key: _summand(value, context.batch.mask, count, axis, replicated=gather)
            for key, value in values.items()
        }
        total = total + now.terms[name]["weight"] * summands[name]
        memory[name] = old_memory if loss.memory is None else loss.memory
        logged |= summands
    logged["loss"] = total
    for name in code.trained:
        if not outputs[name].logits.shape[-1]:
            continue
        correct = tasks.sums(code.task, outputs[name], batch)["correct"]
        logged[f"{name}/accuracy"] = jnp.mean(jax.lax.stop_gradient(correct)) / count
    return total, (stats, memory, logged)


def _behind_barrier(
    outputs: dict[str, Outputs], params: PyTree
) -> tuple[dict[str, Outputs], PyTree]:
    """An optimisation barrier, so that XLA does not fuse a term with the networks or other terms.

    Logits and parameters then round alike whatever the terms are. Features pass no barrier, so that
    XLA can leave out unused features.
    """
    logits = {name: output.logits for name, output in outputs.items()}
    logits, params = jax.lax.optimization_barrier((logits, params))
    return {name: output._replace(logits=logits[name]) for name, output in outputs.items()}, params


def check_loss(term: Term, loss: Loss, memory: PyTree, mask_shape: tuple[int, ...]) -> None:
    """Checks the result of `term.loss` against the batch's `mask_shape` and the old memory.

    Raises:
        ValueError: the term's author made a mistake, which the message names.
    """
    value_rank = 1 if loss.over == "examples" else 0
    metrics = {f"its metric {name!r}": value for name, value in loss.metrics.items()}
    for what, value in {"its loss": loss.value, **metrics}.items():
        rank = jnp.ndim(value)
        if rank > 1 or (what == "its loss" and rank != value_rank):
            raise ValueError(f"{what} is over {loss.over}, and has {rank} axes")
        if rank == 0 and not (term.batch_wide or loss.over == "weights"):
            raise ValueError(
                f"{what} is a scalar of the batch: its Term must have batch_wide=True, since under "
                "pmap it would be a scalar of one device's share"
            )
        if rank == 1 and value.shape != mask_shape:
            raise ValueError(f"{what} has shape {value.shape} for a batch of {mask_shape[0]}")
    if not term.batch_wide and jax.tree.leaves(memory):
        raise ValueError(
            "it has memory: its Term must have batch_wide=True, so that all devices have the same"
        )
    if loss.memory is not None and _shapes(loss.memory) != _shapes(memory):
        raise ValueError(
            f"it returns memory {_shapes(loss.memory)}, but its init made {_shapes(memory)}"
        )


def _shapes(memory: PyTree) -> Any:
    """The same structure, with the type and shape of each array in words."""
    return jax.tree.map(lambda x: f"{jnp.result_type(x)}{list(jnp.shape(x))}", memory)


def _summand(
    value: Array, mask: Array, count: Array, axis: str | None, *, replicated: bool
) -> Array:
    """One device's summand of a loss or metric: `psum` over devices gives the global batch's.

    `value` is `[b]`, as `mask`, or a scalar, which is always replicated. A replicated value, which
    covers the global batch of `count` examples on every device, is divided by the number of
    devices, because `psum` adds the copies.
    """
    devices = 1 if axis is None else jax.lax.axis_size(axis)
    if value.ndim == 0:
        return value / devices
    total = jnp.sum(jnp.where(mask > 0, value, 0.0)) / count
    return total / devices if replicated else total


def gathered(tree: PyTree, axis: str | None) -> PyTree:
    """The global batch on every device, from each device's share `[b, ..]` under pmap."""
    return jax.tree.map(lambda x: jax.lax.all_gather(x, axis, tiled=True), tree)


def over_devices(tree: PyTree, axis: str | None) -> PyTree:
    """The sum over devices under pmap; under jit the tree itself."""
    return tree if axis is None else jax.lax.psum(tree, axis)


def _learning(layers: tuple[str, ...] | None, tree: PyTree, rest: PyTree = None) -> PyTree:
    """`tree` in the layers that learn (None: in all), `rest` or zero in the others."""
    if layers is None:
        return tree
    rest = jax.tree.map(jnp.zeros_like, tree) if rest is None else rest
    return {name: tree[name] if name in layers else rest[name] for name in tree}


def step_key(seed: Array, epoch: Array, position: Array) -> Array:
    """The key of one step, for dropout and for terms; `epoch` is the epoch's number."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), epoch), position)


def named_key(key: Array, name: str) -> Array:
    """A key for `name` alone, whatever other names there are and in whatever order."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def init_network(network: Network, seed: Array) -> NetState:
    """Fresh variables, from the seed and the network's key name."""
    return network.init(named_key(jax.random.key(seed), network.key_name))


def init_state(
    code: StageCode,
    hyper: Hyper,
    networks: Mapping[str, NetState],
    frozen: Mapping[str, Frozen],
    image_shape: tuple[int, int, int],
) -> TrainState:
    """The state before the first update of a stage of one member, from its trained networks."""
    image = jnp.zeros((2, *image_shape), jnp.float32)
    rest = (jnp.zeros(2, kind) for kind in (jnp.int32, jnp.int32, jnp.float32))
    batch = normalised(code, Batch(image, *rest))
    outputs = {
        name: jax.eval_shape(functools.partial(_outputs, code, name), state, batch, jnp.int32(0))
        for name, state in {**networks, **frozen}.items()
    }
    key = jax.random.key(hyper.seed)
    terms = {
        name: term.init(named_key(key, name), outputs, code.training_set)
        for name, term in code.terms.items()
    }
    opt = {name: code.optimiser.init(state.params) for name, state in networks.items()}
    opt[TERMS] = code.optimiser.init({name: term.params for name, term in terms.items()})
    return TrainState(jnp.int32(0), dict(networks), terms, opt)
