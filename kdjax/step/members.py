"""Several members of one stage: the same code, each with its own values.

Members share the batch, its augmentation and the frozen networks' outputs on it. Each has its own
trained networks, terms, optimiser state and hyper-parameters, seed included. Together they are one
`TrainState`, in which a member's label stands behind every name: `student@alpha=0.1@seed=0`.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from kdjax.step import step
from kdjax.step.types import (
    TERMS,
    Array,
    Frozen,
    Hyper,
    NetState,
    PyTree,
    StageCode,
    Swept,
    Trained,
    TrainState,
)

Learned = tuple[TrainState, dict[str, Array]]
"""The state after an update, and metrics."""


def named(name: str, label: str) -> str:
    """The name of a member's network, term or metric; a part behind a slash stays at the end."""
    first, slash, rest = name.partition("/")
    return f"{first}@{label}{slash}{rest}"


def base_name(name: str) -> str:
    """The name that a member's network has in the config of its run; others keep theirs."""
    return name.partition("@")[0]


def swept_code(base: StageCode, labels: Sequence[str], *, vmap: bool, together: int) -> StageCode:
    """The code of a stage of several members; arguments as in `Swept`."""
    trained = {named(n, label): base.networks[n] for label in labels for n in base.trained}
    frozen = {name: base.networks[name] for name in base.frozen}
    return base._replace(
        networks={**trained, **frozen},
        trained=tuple(trained),
        terms={},
        only={},
        swept=Swept(base, tuple(labels), vmap, together),
    )


def initial_networks(code: StageCode, hyper: Any) -> dict[str, NetState]:
    """The trained networks before the first update, of a stage of one member or of several."""
    if code.swept is None:
        return {name: step.init_network(code.networks[name], hyper.seed) for name in code.trained}
    return {
        named(name, label): network
        for label in code.swept.labels
        for name, network in initial_networks(code.swept.base, hyper[label]).items()
    }


def initial_state(
    code: StageCode,
    hyper: Any,
    frozen: Mapping[str, Frozen],
    image_shape: tuple[int, int, int],
    starts: Mapping[str, NetState] = MappingProxyType({}),
) -> TrainState:
    """The state before the first update, of a stage of one member or of several.

    `starts` holds initial variables of the trained networks that do not start afresh.
    """
    networks = {**initial_networks(code, hyper), **starts}
    if code.swept is None:
        return step.init_state(code, hyper, networks, frozen, image_shape)
    base, states = code.swept.base, {}
    for label in code.swept.labels:
        own = {name: networks[named(name, label)] for name in base.trained}
        states[label] = step.init_state(base, hyper[label], own, frozen, image_shape)
    return join(jnp.int32(0), {label: state.trained for label, state in states.items()})


def split(swept: Swept, state: TrainState | Trained) -> dict[str, Trained]:
    """Each member's part of the state of all members."""
    base = swept.base
    return {
        label: Trained(
            {name: state.networks[named(name, label)] for name in base.trained},
            {name: state.terms[named(name, label)] for name in base.terms},
            {name: state.opt[named(name, label)] for name in (*base.trained, TERMS)},
        )
        for label in swept.labels
    }


def join(count: Array, parts: Mapping[str, Trained]) -> TrainState:
    """The state of all members after `count` updates, from each member's part."""
    networks, terms, opt = (
        _labelled({label: getattr(part, field) for label, part in parts.items()})
        for field in Trained._fields
    )
    return TrainState(count, networks, terms, opt)


def _labelled(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One dict with the members' names, from a dict for each member by label."""
    return {
        named(name, label): value for label, own in values.items() for name, value in own.items()
    }


def make_update(
    swept: Swept,
    update: Callable[..., Learned],
    compiled: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> Callable[..., Learned]:
    """The update of all members, from one member's `kdjax.step.compiled.Update`.

    `compiled` compiles a function, or returns it as it is where the whole step is one program.
    """

    def update_group(
        parts: Sequence[Trained], hypers: Sequence[Hyper], *shared: Any
    ) -> list[Learned]:
        """With `vmap` one computation over a further axis."""
        if not swept.vmap:
            return [update(parts[0], hypers[0], *shared)]
        mapped = jax.vmap(update, (0, 0, None, None, None, None))
        learned = mapped(_stack(parts), _stack(hypers), *shared)
        return [jax.tree.map(lambda x, i=index: x[i], learned) for index in range(len(parts))]

    compiled_update = compiled(update_group)

    def update_all(trained: Trained, hyper: Mapping[str, Hyper], *shared: Any) -> Learned:
        parts = split(swept, trained)
        learned: dict[str, Learned] = {}
        for group in swept.groups:
            members = tuple(parts[label] for label in group)
            hypers = tuple(hyper[label] for label in group)
            learned |= dict(zip(group, compiled_update(members, hypers, *shared), strict=True))
        count = learned[swept.labels[0]][0].step
        parts = {label: state.trained for label, (state, _) in learned.items()}
        metrics = {label: values for label, (_, values) in learned.items()}
        return join(count, parts), _labelled(metrics)

    return update_all


def _stack(trees: Sequence[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def make_eval_step(
    swept: Swept, evaluate: Callable[..., dict[str, Any]]
) -> Callable[..., dict[str, Any]]:
    """`predict.make_eval_step` of all members; `evaluate` is one member's, compiled."""

    def eval_step(networks: Mapping[str, NetState], *batch: Any) -> dict[str, Any]:
        sums: dict[str, Any] = {}
        for label in swept.labels:
            names = [n for n in swept.base.trained if named(n, label) in networks]
            own = evaluate({name: networks[named(name, label)] for name in names}, *batch)
            sums |= _labelled({label: own})
        return sums

    return eval_step


def one_copy(state: NetState) -> NetState:
    """A network without pmap's device axis: parameters are alike, statistics are averaged."""
    return NetState(
        jax.tree.map(lambda x: x[0], state.params),
        jax.tree.map(lambda x: jnp.mean(x, axis=0), state.batch_stats),
    )
