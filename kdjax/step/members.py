"""Several members of one stage: the same code, each with its own values.

Members share the batch, its augmentation and what frozen networks put out on it. Each has its own
trained networks, terms, optimiser state and hyper-parameters, seed included. Together they are one
`TrainState`, in which a member's label stands behind every name: `student@alpha=0.1@seed=0`.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from kdjax.step import compiled, predict, step
from kdjax.step.types import (
    Array,
    Epoch,
    Fetch,
    Hyper,
    NetState,
    Observed,
    PyTree,
    StageCode,
    Swept,
    Trained,
    TrainState,
)

Hypers = Mapping[str, Hyper]
"""By member."""


def named(name: str, label: str) -> str:
    """A member's network, term or metric; what follows a slash stays at the end."""
    first, slash, rest = name.partition("/")
    return f"{first}@{label}{slash}{rest}"


def swept_code(base: StageCode, labels: Sequence[str], *, vmap: bool, together: int) -> StageCode:
    """One program of all members.

    Args:
        base: the stage of one member.
        labels: of the members.
        vmap: whether those of one call are one computation over a further axis.
        together: how many one call trains; 0 for all.
    """
    trained = {named(n, label): base.networks[n] for label in labels for n in base.trained}
    frozen = {name: base.networks[name] for name in base.frozen}
    return base._replace(
        networks={**trained, **frozen},
        trained=tuple(trained),
        terms={},
        only={},
        swept=Swept(base, tuple(labels), vmap, together),
    )


def _member_networks(swept: Swept, hypers: Hypers) -> dict[str, NetState]:
    """Every member's trained networks before the first update, from its own seed."""
    return {
        named(name, label): step.init_network(swept.base.networks[name], hypers[label].seed)
        for label in swept.labels
        for name in swept.base.trained
    }


def _member_state(
    swept: Swept,
    hypers: Hypers,
    networks: Mapping[str, NetState],
    frozen: Mapping[str, step.Frozen],
    image_shape: tuple[int, int, int],
) -> TrainState:
    """The state of all members before the first update."""
    states = {}
    for label in swept.labels:
        mine = {name: networks[named(name, label)] for name in swept.base.trained}
        states[label] = step.init_state(swept.base, hypers[label], mine, frozen, image_shape)
    owns = {label: state.trained for label, state in states.items()}
    return join(jnp.int32(0), owns)


def split(swept: Swept, state: TrainState) -> dict[str, Trained]:
    """Each member's own part of a state."""
    base = swept.base
    return {
        label: Trained(
            {name: state.networks[named(name, label)] for name in base.trained},
            {name: state.terms[named(name, label)] for name in base.terms},
            {name: state.opt[named(name, label)] for name in (*base.trained, step.TERMS)},
        )
        for label in swept.labels
    }


def join(count: Array, owns: Mapping[str, Trained]) -> TrainState:
    """The state of all members, after `count` updates."""

    def all_of(part: str) -> dict[str, Any]:
        return {
            named(name, label): value
            for label, own in owns.items()
            for name, value in getattr(own, part).items()
        }

    return TrainState(count, all_of("networks"), all_of("terms"), all_of("opt"))


def make_train_step(
    swept: Swept, fetch: Fetch, jit: compiled.Jit, per_call: int = 1
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """As `step_programs.TrainStep`, of all members; `hyper` is theirs by label.

    The batch is made, and the frozen networks run on it, once. Then members learn: one call of the
    very program that trains a single run for each of them, or as one computation over a further
    axis (`vmap`), `together` at once.

    Args:
        swept: the members.
        fetch: how a batch is read from what the host passes.
        jit: compiles.
        per_call: as `step.looped` takes it; more than 1 needs all members in one call.
    """
    together = swept.together or len(swept.labels)
    if per_call > 1:
        if together < len(swept.labels):
            raise ValueError("several steps a call need all members in it")
        return jit.everywhere(
            step.looped(_in_one_program(swept, fetch), per_call), donate_argnums=0
        )
    observe = compiled.Observe(swept.base, fetch, jit)
    if swept.vmap:
        learn = jit.everywhere(_make_mapped_learn_step(swept.base), donate_argnums=0)
    else:
        learn = _one_by_one(jit.everywhere(compiled.make_learn_step(swept.base), donate_argnums=0))
    groups = [
        swept.labels[first : first + together] for first in range(0, len(swept.labels), together)
    ]

    def train_step(
        state: TrainState,
        frozen: PyTree,
        hypers: Hypers,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> tuple[TrainState, dict[str, Array]]:
        before, first = split(swept, state), swept.labels[0]
        observed = observe(
            TrainState(state.step, *before[first]), frozen, hypers[first], source, epoch, position
        )
        after: dict[str, TrainState] = {}
        logged: dict[str, dict[str, Array]] = {}
        for group in groups:
            trained = tuple(before[label] for label in group)
            values = tuple(hypers[label] for label in group)
            learned = learn(trained, state.step, observed, values, epoch.number, position)
            for label, (learned_state, metrics) in zip(group, learned, strict=True):
                after[label], logged[label] = learned_state, metrics
        trained_after = {label: after[label].trained for label in swept.labels}
        return join(after[first].step, trained_after), _by_member(logged)

    return train_step


def _one_by_one(learn: Callable[..., Any]) -> Callable[..., Any]:
    """`_make_mapped_learn_step`'s arguments and results, with a call of `learn` for each member."""

    def learn_each(
        trained: Sequence[Trained],
        count: Array,
        observed: Observed,
        hypers: Sequence[Hyper],
        *at: Any,
    ) -> list[tuple[TrainState, dict[str, Array]]]:
        members = zip(trained, hypers, strict=True)
        return [learn(own, count, observed, hyper, *at) for own, hyper in members]

    return learn_each


def _make_mapped_learn_step(base: StageCode) -> Callable[..., Any]:
    """`step_programs.make_learn_step` of several members: tuples in, a tuple for each out."""
    over_members = jax.vmap(compiled.make_learn_step(base), (0, None, None, 0, None, None))

    def learn_step(
        trained: Sequence[Trained],
        count: Array,
        observed: Observed,
        hypers: Sequence[Hyper],
        *at: Any,
    ) -> list[tuple[TrainState, dict[str, Array]]]:
        learned = over_members(_stack(trained), count, observed, _stack(hypers), *at)
        return [jax.tree.map(lambda x, i=index: x[i], learned) for index in range(len(trained))]

    return learn_step


def _in_one_program(
    swept: Swept, fetch: Fetch
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """The whole step of all members, over a further axis, for a loop of steps on the device."""
    learn = _make_mapped_learn_step(swept.base)

    def train_step(
        state: TrainState,
        frozen: PyTree,
        hypers: Hypers,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> tuple[TrainState, dict[str, Array]]:
        values = tuple(hypers[label] for label in swept.labels)
        batch, view = fetch(source, epoch, position), jnp.asarray(epoch.number)
        observed = step.observe(swept.base, frozen, batch, view, values[0].data_seed)
        trained = tuple(split(swept, state).values())
        learned = learn(trained, state.step, observed, values, view, position)
        states = dict(zip(swept.labels, learned, strict=True))
        trained_after = {label: after.trained for label, (after, _) in states.items()}
        return join(state.step + 1, trained_after), _by_member(
            {label: metrics for label, (_, metrics) in states.items()}
        )

    return train_step


def _stack(trees: Sequence[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _by_member(metrics: Mapping[str, Mapping[str, Array]]) -> dict[str, Array]:
    return {
        named(name, label): value
        for label, values in metrics.items()
        for name, value in values.items()
    }


def make_eval_step(
    swept: Swept, fetch: Fetch, jit: Callable[..., Callable[..., Any]]
) -> Callable[..., dict[str, Any]]:
    """As `predict.make_eval_step`: one program, called for each member."""
    evaluate = jit(predict.make_eval_step(swept.base, fetch))

    def eval_step(networks: Mapping[str, NetState], *batch: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for label in swept.labels:
            names = [n for n in swept.base.trained if named(n, label) in networks]
            sums = evaluate({name: networks[named(name, label)] for name in names}, *batch)
            found |= {named(name, label): sums[name] for name in names}
        return found

    return eval_step


def initial_networks(code: StageCode, hyper: Any) -> dict[str, NetState]:
    """The trained networks before the first update; of several members, `hyper` is by label."""
    if code.swept:
        return _member_networks(code.swept, hyper)
    return {name: step.init_network(code.networks[name], hyper.seed) for name in code.trained}


def initial_state(
    code: StageCode,
    hyper: Any,
    frozen: Mapping[str, step.Frozen],
    image_shape: tuple[int, int, int],
    starts: Mapping[str, NetState] = MappingProxyType({}),
) -> TrainState:
    """The state before the first update, of a stage of one member or of several.

    Args:
        code: the stage's code.
        hyper: its hyper-parameters; of several members, by label.
        frozen: variables of the networks that it does not train.
        image_shape: `(h, w, c)`.
        starts: what trained networks start from, for those that do not start afresh.
    """
    networks = {**initial_networks(code, hyper), **starts}
    if code.swept:
        return _member_state(code.swept, hyper, networks, frozen, image_shape)
    return step.init_state(code, hyper, networks, frozen, image_shape)


def one_copy(state: NetState) -> NetState:
    """A network without pmap's device axis: parameters are alike, statistics are averaged."""
    return NetState(
        jax.tree.map(lambda x: x[0], state.params),
        jax.tree.map(lambda x: jnp.mean(x, axis=0), state.batch_stats),
    )
