"""Several members of one stage: the same code, each with its own values.

Members share the batch, its augmentation and what frozen networks put out on it. Each has its own
trained networks, terms, optimiser state and hyper-parameters, seed included. Together they are one
`TrainState`, in which a member's label stands behind every name: `student@alpha=0.1@seed=0`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kdjax import predict, reads, step
from kdjax.program import Observed, Program, Swept
from kdjax.types import Array, Hyper, NetState, PyTree, TermState, TrainState

Hypers = Mapping[str, Hyper]
"""By member."""


class Own(NamedTuple):
    """What a member has of its own; it counts its steps with the others."""

    networks: dict[str, NetState]
    terms: dict[str, TermState]
    opt: dict[str, PyTree]


def named(name: str, label: str) -> str:
    """A member's network, term or metric; what follows a slash stays at the end."""
    first, slash, rest = name.partition("/")
    return f"{first}@{label}{slash}{rest}"


def program(base: Program, labels: Sequence[str], *, vmap: bool, together: int) -> Program:
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


def initial_networks(swept: Swept, hypers: Hypers) -> dict[str, NetState]:
    """Every member's trained networks before the first update, from its own seed."""
    return {
        named(name, label): step.init_network(swept.base.networks[name], hypers[label].seed)
        for label in swept.labels
        for name in swept.base.trained
    }


def init_state(
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
    owns = {label: Own(s.networks, s.terms, s.opt) for label, s in states.items()}
    return join(jnp.int32(0), owns)


def split(swept: Swept, state: TrainState) -> dict[str, Own]:
    """Each member's own part of a state."""
    base = swept.base
    return {
        label: Own(
            {name: state.networks[named(name, label)] for name in base.trained},
            {name: state.terms[named(name, label)] for name in base.terms},
            {name: state.opt[named(name, label)] for name in (*base.trained, step.TERMS)},
        )
        for label in swept.labels
    }


def join(count: Array, owns: Mapping[str, Own]) -> TrainState:
    """The state of all members, after `count` updates."""

    def all_of(part: str) -> dict[str, Any]:
        return {
            named(name, label): value
            for label, own in owns.items()
            for name, value in getattr(own, part).items()
        }

    return TrainState(count, all_of("networks"), all_of("terms"), all_of("opt"))


Learned = tuple[tuple[Own, ...], tuple[dict[str, Array], ...]]


def make_learn(swept: Swept) -> Callable[..., Learned]:
    """`learn(owns, count, observed, hypers, view, position)`: one update of some members.

    `owns` and `hypers` are tuples; returned are the members' new parts and their metrics.
    """

    def one(
        own: Own, count: Array, observed: Observed, hyper: Hyper, view: Array, position: Array
    ) -> tuple[Own, dict[str, Array]]:
        key = step.step_key(hyper.seed, view, position)
        state, metrics = step.learn(swept.base, TrainState(count, *own), observed, hyper, key)
        return Own(state.networks, state.terms, state.opt), metrics

    def unrolled(
        owns: Sequence[Own], count: Array, observed: Observed, hypers: Sequence[Hyper], *at: Array
    ) -> Learned:
        made = [
            one(own, count, observed, hyper, *at) for own, hyper in zip(owns, hypers, strict=True)
        ]
        return tuple(own for own, _ in made), tuple(metrics for _, metrics in made)

    def mapped(
        owns: Sequence[Own], count: Array, observed: Observed, hypers: Sequence[Hyper], *at: Array
    ) -> Learned:
        over_members = jax.vmap(one, in_axes=(0, None, None, 0, None, None))
        made, metrics = over_members(_stack(owns), count, observed, _stack(hypers), *at)
        return _unstack(made, len(owns)), _unstack(metrics, len(owns))

    return mapped if swept.vmap else unrolled


def _stack(trees: Sequence[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _unstack(tree: PyTree, count: int) -> tuple[PyTree, ...]:
    return tuple(jax.tree.map(lambda x, i=index: x[i], tree) for index in range(count))


def make_train_step(
    swept: Swept, fetch: step.Fetch, jit: Callable[..., Callable[..., Any]], per_call: int = 1
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """As `step.make_train_step`, of all members, and compiled; `hyper` is theirs by label.

    The batch is made, and the frozen networks run on it, once. Where one call does not train all
    members, calls of the same program follow each other.

    Args:
        swept: the members.
        fetch: how a batch is read from what the host passes.
        jit: `jax.jit` with the layout; it takes `donate_argnums`.
        per_call: as `step.looped` takes it; more than 1 needs all members in one call.
    """
    learn = make_learn(swept)

    def observe(frozen: PyTree, hyper: Hyper, *batch: Any) -> tuple[Observed, Array]:
        observed, view = fetch(*batch)
        return step.observe(swept.base, frozen, observed, view, hyper.data_seed), view

    def all_at_once(
        state: TrainState, frozen: PyTree, hypers: Hypers, *batch: Any
    ) -> tuple[TrainState, dict[str, Array]]:
        mine = tuple(hypers[label] for label in swept.labels)
        observed, view = observe(frozen, mine[0], *batch)
        owns = tuple(split(swept, state).values())
        made, metrics = learn(owns, state.step, observed, mine, view, batch[-1])
        owns_after = dict(zip(swept.labels, made, strict=True))
        return join(state.step + 1, owns_after), _by_member(swept.labels, metrics)

    if not 0 < swept.together < len(swept.labels):
        return jit(step.looped(all_at_once, per_call), donate_argnums=0)
    if per_call > 1:
        raise ValueError("several steps a call need all members in it")
    learning, observing = jit(learn, donate_argnums=0), _Pruned(observe, learn, jit)
    starts = range(0, len(swept.labels), swept.together)

    def in_groups(
        state: TrainState, frozen: PyTree, hypers: Hypers, *batch: Any
    ) -> tuple[TrainState, dict[str, Array]]:
        before = split(swept, state)
        owns: dict[str, Own] = {}
        logged: dict[str, Array] = {}
        seen = None
        for group in (swept.labels[first : first + swept.together] for first in starts):
            own = tuple(before[label] for label in group)
            mine = tuple(hypers[label] for label in group)
            if seen is None:
                seen = observing(own, state.step, frozen, mine, *batch)
            observed, view = seen
            made, metrics = learning(own, state.step, observed, mine, view, batch[-1])
            owns |= zip(group, made, strict=True)
            logged |= _by_member(group, metrics)
        return join(state.step + 1, owns), logged

    return in_groups


def _by_member(labels: Sequence[str], metrics: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    return {
        named(name, label): value
        for label, each in zip(labels, metrics, strict=True)
        for name, value in each.items()
    }


class _Pruned:
    """`observe` in a program of its own, which puts out only the features that `learn` reads."""

    def __init__(
        self,
        observe: Callable[..., tuple[Observed, Array]],
        learn: Callable[..., Learned],
        jit: Callable[..., Callable[..., Any]],
    ):
        self._observe, self._learn, self._jit = observe, learn, jit
        self._compiled: Callable[..., Any] | None = None

    def __call__(
        self,
        owns: tuple[Own, ...],
        count: Array,
        frozen: PyTree,
        hypers: tuple[Hyper, ...],
        *batch: Any,
    ) -> tuple[Observed, Array]:
        if self._compiled is None:
            observed, view = jax.eval_shape(self._observe, frozen, hypers[0], *batch)

            def use(observed: Observed, view: Array) -> Learned:
                return self._learn(owns, count, observed, hypers, view, batch[-1])

            read = reads.features(use, observed, view)

            def observe(*arguments: Any) -> tuple[Observed, Array]:
                made, view = self._observe(*arguments)
                return made._replace(outputs=reads.keep(made.outputs, read)), view

            self._compiled = self._jit(observe)
        return self._compiled(frozen, hypers[0], *batch)


def make_eval_step(
    swept: Swept, fetch: step.Fetch, jit: Callable[..., Callable[..., Any]]
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
