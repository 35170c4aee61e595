"""A stage's networks and training state before the first update, and copies of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from kdjax import members, step
from kdjax.program import Program
from kdjax.types import NetState, TrainState


def initial_networks(program: Program, hyper: Any) -> dict[str, NetState]:
    """The trained networks before the first update; of several members, `hyper` is by label."""
    if program.swept:
        return members.initial_networks(program.swept, hyper)
    return {name: step.init_network(program.networks[name], hyper.seed) for name in program.trained}


def initial_state(
    program: Program,
    hyper: Any,
    frozen: Mapping[str, step.Frozen],
    image_shape: tuple[int, int, int],
    starts: Mapping[str, NetState] = MappingProxyType({}),
) -> TrainState:
    """The state before the first update, of a stage of one member or of several.

    Args:
        program: the stage's code.
        hyper: its hyper-parameters; of several members, by label.
        frozen: variables of the networks that it does not train.
        image_shape: `(h, w, c)`.
        starts: what trained networks start from, for those that do not start afresh.
    """
    networks = {**initial_networks(program, hyper), **starts}
    if program.swept:
        return members.init_state(program.swept, hyper, networks, frozen, image_shape)
    return step.init_state(program, hyper, networks, frozen, image_shape)


def one_copy(state: NetState) -> NetState:
    """A network without pmap's device axis: parameters are alike, statistics are averaged."""
    return NetState(
        jax.tree.map(lambda x: x[0], state.params),
        jax.tree.map(lambda x: jnp.mean(x, axis=0), state.batch_stats),
    )
