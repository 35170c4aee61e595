"""One training step for every method, in two halves; pure: no config, no flags, no I/O.

`observe` augments the batch and runs the frozen networks, outside the differentiated function.
`learn` runs the trained networks, sums the weighted terms, differentiates once and updates every
network at the same time. Answers that were computed beforehand replace the second part of
`observe` (`kdjax.teacher_cache`); a sweep maps `learn` over its members (`kdjax.members`).
`kdjax.step_programs` compiles the parts.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from kdjax import schedules
from kdjax.objective import named_key, objective, over_devices
from kdjax.program import TERMS, Answers, Observed, Program
from kdjax.types import (
    Array,
    Batch,
    Epoch,
    Fetch,
    Hyper,
    NetState,
    Network,
    Outputs,
    PyTree,
    TermState,
    TrainState,
)

Frozen = NetState | Answers
"""A frozen network's variables, or what it answers."""


def init_network(network: Network, seed: Array) -> NetState:
    """Fresh variables, from the seed and the network's key name."""
    return network.init(named_key(jax.random.key(seed), network.key_name))


def init_state(
    program: Program,
    hyper: Hyper,
    networks: Mapping[str, NetState],
    frozen: Mapping[str, Frozen],
    image_shape: tuple[int, int, int],
) -> TrainState:
    """The state before the first update of a stage.

    Args:
        program: the stage's code.
        hyper: its hyper-parameters; the seed keys the terms' initialisation.
        networks: variables of the trained networks.
        frozen: variables of the others, or their answers.
        image_shape: `(h, w, c)`.
    """
    image = jnp.zeros((2, *image_shape), jnp.float32)
    two = Batch(image, *(jnp.zeros(2, kind) for kind in (jnp.int32, jnp.int32, jnp.float32)))
    outputs = {
        name: jax.eval_shape(functools.partial(_outputs, program, name), state, two, jnp.int32(0))
        for name, state in {**networks, **frozen}.items()
    }
    key = jax.random.key(hyper.seed)
    terms = {name: term.init(named_key(key, name), outputs) for name, term in program.terms.items()}
    opt = {name: program.optimiser.init(state.params) for name, state in networks.items()}
    opt[TERMS] = program.optimiser.init(_params(terms))
    return TrainState(jnp.int32(0), dict(networks), terms, opt)


def normalise(program: Program, image: Array) -> Array:
    """Images `[..., c]` in [0, 1] with each channel's mean taken off, divided by its deviation."""
    mean, std = (
        jnp.expand_dims(jnp.float32(value), range(image.ndim - 1))
        for value in (program.mean, program.std)
    )
    return (image - mean) / std


def observe(
    program: Program, frozen: Mapping[str, Frozen], batch: Batch, view: Array, data_seed: Array
) -> Observed:
    """Augments uint8 images and runs the frozen networks on the result.

    Args:
        program: the stage's code.
        frozen: variables of the frozen networks, or what these answer.
        batch: `image` is `[b, h, w, c]` uint8.
        view: int32; a new view is a new draw of the augmentation.
        data_seed: uint32.
    """
    batch = augmented(program, batch, view, data_seed)
    return Observed(batch, frozen_outputs(program, frozen, batch, view))


def augmented(program: Program, batch: Batch, view: Array, data_seed: Array) -> Batch:
    """The batch as networks see it, from uint8 images `[b, h, w, c]`: augmented and normalised."""
    batch = batch._replace(image=batch.image.astype(jnp.float32) / 255.0)
    batch = program.augment(batch, _of_views(program, view), data_seed)
    return batch._replace(image=normalise(program, batch.image))


def frozen_outputs(
    program: Program, frozen: Mapping[str, Frozen], batch: Batch, view: Array
) -> dict[str, Outputs]:
    """What every frozen network puts out on an augmented batch; without a gradient."""
    view = _of_views(program, view)
    outputs = {name: _outputs(program, name, frozen[name], batch, view) for name in program.frozen}
    return jax.lax.stop_gradient(outputs)


def _of_views(program: Program, view: Array) -> Array:
    """The view's number where a few are used in rotation."""
    return view % program.views if program.views else view


def _outputs(program: Program, name: str, state: Frozen, batch: Batch, view: Array) -> Outputs:
    """What a network puts out, in prediction; of answers those that belong to the batch."""
    if not isinstance(state, Answers):
        return program.networks[name].apply(state, batch.image, train=False)[0]
    row = jnp.asarray(state.row)[batch.id]
    return jax.tree.map(lambda kept: kept[view, row].astype(jnp.float32), state.outputs)


def learn(
    program: Program,
    state: TrainState,
    observed: Observed,
    hyper: Hyper,
    key: Array,
    axis: str | None = None,
) -> tuple[TrainState, dict[str, Array]]:
    """One simultaneous update of every trained network and term.

    Args:
        program: the stage's code.
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
    grads, (stats, memory, logged) = differentiate(
        program, trainable, state, observed, now, key, axis
    )
    grads, logged = over_devices((grads, logged), axis)

    networks, opt = {}, {}
    for name in program.trained:
        before = state.networks[name]
        learning = functools.partial(_learning, program.only.get(name))
        params, opt[name] = _update(
            program, learning(grads[0][name]), state.opt[name], before.params, now.learning_rate
        )
        networks[name] = NetState(
            learning(params, before.params), learning(stats[name], before.batch_stats)
        )
    term_params, opt[TERMS] = _update(
        program, grads[1], state.opt[TERMS], trainable[1], now.learning_rate
    )
    terms = {name: TermState(term_params[name], memory[name]) for name in program.terms}
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
    program: Program, grads: PyTree, opt: PyTree, params: PyTree, learning_rate: Array
) -> tuple[PyTree, PyTree]:
    direction, opt = program.optimiser.update(grads, opt, params)
    moved = jax.tree.map(lambda p, d: p - (learning_rate * d).astype(p.dtype), params, direction)
    return moved, opt


def step_key(seed: Array, view: Array, position: Array) -> Array:
    """The key of one step, for dropout and for terms."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), view), position)


def make_train_step(
    program: Program, fetch: Fetch, axis: str | None = None
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """The whole step in one program: `step(state, frozen, hyper, source, epoch, position)`.

    Args:
        program: the stage's code.
        fetch: how a batch is read from what the host passes (see `kdjax.feed`).
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
        observed = observe(program, frozen, batch, view, hyper.data_seed)
        key = step_key(hyper.seed, view, position)
        return learn(program, state, observed, hyper, key, axis)

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
