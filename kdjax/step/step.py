"""One training step for every method, in two halves; pure: no config, no flags, no I/O.

`observe` augments the batch and runs the frozen networks, outside the differentiated function.
`learn` runs the trained networks, sums the weighted terms, differentiates once and updates every
network at the same time. Outputs that were computed beforehand replace the second part of
`observe` (`kdjax.training.teacher_cache`); a sweep maps `learn` over its members
(`kdjax.step.members`).
`kdjax.step.compiled` compiles the parts.
"""

import functools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from kdjax.step import schedules, tasks
from kdjax.step.types import (
    TERMS,
    Array,
    Batch,
    CachedOutputs,
    Context,
    Epoch,
    Fetch,
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

Frozen = NetState | CachedOutputs
"""A frozen network's variables, or what it answers."""


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
    """The state before the first update of a stage.

    Args:
        code: the stage's code.
        hyper: its hyper-parameters; the seed keys the terms' initialisation.
        networks: variables of the trained networks.
        frozen: variables of the others, or their answers.
        image_shape: `(h, w, c)`.
    """
    image = jnp.zeros((2, *image_shape), jnp.float32)
    two = Batch(image, *(jnp.zeros(2, kind) for kind in (jnp.int32, jnp.int32, jnp.float32)))
    outputs = {
        name: jax.eval_shape(functools.partial(_outputs, code, name), state, two, jnp.int32(0))
        for name, state in {**networks, **frozen}.items()
    }
    key = jax.random.key(hyper.seed)
    terms = {
        name: term.init(named_key(key, name), outputs, code.training_set)
        for name, term in code.terms.items()
    }
    opt = {name: code.optimiser.init(state.params) for name, state in networks.items()}
    opt[TERMS] = code.optimiser.init(_params(terms))
    return TrainState(jnp.int32(0), dict(networks), terms, opt)


def normalise(code: StageCode, image: Array) -> Array:
    """Images `[..., c]` in [0, 1] with each channel's mean taken off, divided by its deviation."""
    mean, std = (
        jnp.expand_dims(jnp.float32(value), range(image.ndim - 1))
        for value in (code.mean, code.std)
    )
    return (image - mean) / std


def observe(
    code: StageCode, frozen: Mapping[str, Frozen], batch: Batch, view: Array, data_seed: Array
) -> Observed:
    """Augments uint8 images and runs the frozen networks on the result.

    Args:
        code: the stage's code.
        frozen: variables of the frozen networks, or what these answer.
        batch: `image` is `[b, h, w, c]` uint8.
        view: int32; a new view is a new draw of the augmentation.
        data_seed: uint32.
    """
    batch = augmented(code, batch, view, data_seed)
    return Observed(batch, frozen_outputs(code, frozen, batch, view))


def augmented(code: StageCode, batch: Batch, view: Array, data_seed: Array) -> Batch:
    """The batch as networks see it, from uint8 images `[b, h, w, c]`: augmented and normalised."""
    batch = batch._replace(image=batch.image.astype(jnp.float32) / 255.0)
    batch = code.augment(batch, _of_views(code, view), data_seed)
    return batch._replace(image=normalise(code, batch.image))


def frozen_outputs(
    code: StageCode, frozen: Mapping[str, Frozen], batch: Batch, view: Array
) -> dict[str, Outputs]:
    """What every frozen network puts out on an augmented batch; without a gradient."""
    view = _of_views(code, view)
    outputs = {name: _outputs(code, name, frozen[name], batch, view) for name in code.frozen}
    return jax.lax.stop_gradient(outputs)


def _of_views(code: StageCode, view: Array) -> Array:
    """The view's number where a few are used in rotation."""
    return view % code.views if code.views else view


def _outputs(code: StageCode, name: str, state: Frozen, batch: Batch, view: Array) -> Outputs:
    """What a network puts out, in prediction; of answers those that belong to the batch."""
    if not isinstance(state, CachedOutputs):
        return code.networks[name].apply(state, batch.image, train=False)[0]
    row = jnp.asarray(state.row)[batch.id]
    return jax.tree.map(lambda kept: kept[view, row].astype(jnp.float32), state.outputs)


def learn(
    code: StageCode,
    state: TrainState,
    observed: Observed,
    hyper: Hyper,
    key: Array,
    axis: str | None = None,
) -> tuple[TrainState, dict[str, Array]]:
    """One simultaneous update of every trained network and term.

    Args:
        code: the stage's code.
        state: what the update replaces.
        observed: the batch and the frozen networks' outputs on it.
        hyper: schedules; evaluated here, at the state's step.
        key: of this step, the same on all devices; dropout takes its own from it for each network.
        axis: name of the device axis under pmap, where `observed` is one device's shard.

    Returns:
        The new state, and metrics as scalars on the device.
    """
    now = schedules.evaluate(hyper, state.step)
    trainable = (
        {name: net.params for name, net in state.networks.items()},
        _params(state.terms),
    )
    differentiate = jax.grad(objective, argnums=1, has_aux=True)
    grads, (stats, memory, logged) = differentiate(code, trainable, state, observed, now, key, axis)
    grads, logged = over_devices((grads, logged), axis)

    networks, opt = {}, {}
    for name in code.trained:
        before = state.networks[name]
        learning = functools.partial(_learning, code.only.get(name))
        params, opt[name] = _update(
            code, learning(grads[0][name]), state.opt[name], before.params, now.learning_rate
        )
        networks[name] = NetState(
            learning(params, before.params), learning(stats[name], before.batch_stats)
        )
    term_params, opt[TERMS] = _update(
        code, grads[1], state.opt[TERMS], trainable[1], now.learning_rate
    )
    terms = {name: TermState(term_params[name], memory[name]) for name in code.terms}
    logged["learning_rate"] = now.learning_rate
    for name, parts in hyper.terms.items():
        moving = [part for part, value in parts.items() if schedules.moves(value)]
        logged |= {f"{name}/{part}": now.terms[name][part] for part in moving}
    return TrainState(state.step + 1, networks, terms, opt), logged


def _learning(layers: tuple[str, ...] | None, tree: PyTree, rest: PyTree = None) -> PyTree:
    """`tree` where one of the layers learns (None: all do), `rest` or zero elsewhere."""
    if layers is None:
        return tree
    rest = jax.tree.map(jnp.zeros_like, tree) if rest is None else rest
    return {name: tree[name] if name in layers else rest[name] for name in tree}


def _params(terms: Mapping[str, TermState]) -> dict[str, PyTree]:
    return {name: term.params for name, term in terms.items()}


def _update(
    code: StageCode, grads: PyTree, opt: PyTree, params: PyTree, learning_rate: Array
) -> tuple[PyTree, PyTree]:
    direction, opt = code.optimiser.update(grads, opt, params)
    moved = jax.tree.map(lambda p, d: p - (learning_rate * d).astype(p.dtype), params, direction)
    return moved, opt


def step_key(seed: Array, view: Array, position: Array) -> Array:
    """The key of one step, for dropout and for terms."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), view), position)


def make_train_step(
    code: StageCode, fetch: Fetch, axis: str | None = None
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """The whole step in one program: `step(state, frozen, hyper, source, epoch, position)`.

    Args:
        code: the stage's code.
        fetch: how a batch is read from what the host passes (see `kdjax.training.feed`).
        axis: name of the device axis under pmap.
    """

    def train_step(
        state: TrainState,
        frozen: dict[str, Frozen],
        hyper: Hyper,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> tuple[TrainState, dict[str, Array]]:
        batch, view = fetch(source, epoch, position), jnp.asarray(epoch.number)
        observed = observe(code, frozen, batch, view, hyper.data_seed)
        key = step_key(hyper.seed, view, position)
        return learn(code, state, observed, hyper, key, axis)

    return train_step


def looped(
    train_step: Callable[..., tuple[PyTree, PyTree]], per_call: int
) -> Callable[..., tuple[PyTree, PyTree]]:
    """Several steps as one loop on the device; each begins with what the last one left.

    Args:
        train_step: `train_step(state, .., position)` gives the new state and metrics.
        per_call: with 1, the step itself is returned.

    Returns:
        The same function of positions `[n]`, whose metrics are `[n]` too.
    """
    if per_call == 1:
        return train_step

    def train_steps(state: PyTree, *arguments: Any) -> tuple[PyTree, PyTree]:
        *shared, positions = arguments
        return jax.lax.scan(lambda carry, at: train_step(carry, *shared, at), state, positions)

    return train_steps


def named_key(key: Array, name: str) -> Array:
    """A key of its own for `name`, whatever other names there are and in whatever order."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def objective(
    code: StageCode,
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
    for name in code.trained:
        network = code.networks[name]
        outputs[name], stats[name] = network.apply(
            NetState(params[name], state.networks[name].batch_stats),
            batch.image,
            train=True,
            key=named_key(own_key, network.key_name),
        )
    count = over_devices(jnp.sum(batch.mask), axis)
    total = jnp.float32(0)
    logged: dict[str, Array] = {}
    for name, term in code.terms.items():
        values, before = now.terms[name], state.terms[name].memory
        seen, weights = _apart(outputs, params)
        whole = term.batch_wide and axis is not None
        view = Context(
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
    for name in code.trained:
        correct = tasks.sums(code.task, outputs[name], batch)["correct"]
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
