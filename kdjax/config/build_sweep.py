"""The members of a sweep: which stages they differ in, and what each of them is."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from kdjax.step import members
from kdjax.system.errors import UserError

_VALUES = re.compile(
    r"stages\.\w+\.(terms\.\w+\.(weight|temperature)|optimiser\.learning_rate)"
    r"\.(start|end|begin|finish|rate|every|offset|factor)"
)
"""Keys of a stage whose values are traced, so that members can differ in them."""
_SHARED = ("data.", "networks.", "stage_order", "sweep.", "method", "parallel", "select")
MODES = ("auto", "separate", "vmap")


class Member(NamedTuple):
    """One point of the grid."""

    axes: tuple[str, ...]
    """Such as `alpha=0.1` and `seed=0`."""
    config: ConfigDict


def read(config: ConfigDict) -> list[Member]:
    """The members of a config's sweep; none where it has no `sweep`, which `kdjax.sweep` adds.

    Raises:
        UserError: they differ in more than values that are traced, or not at all.
    """
    found: list[Member] = []
    if "sweep" not in config:
        return found
    for axes, changes in config.sweep.members:
        for key, _ in changes:
            shared = key.startswith(_SHARED) or key.startswith("stages.")
            if shared and not _VALUES.fullmatch(key):
                raise UserError(
                    f"the sweep changes config.{key}; members can differ in seed and in values of "
                    "weights, temperatures and learning rates, and share all else"
                )
        mine = config.copy_and_resolve_references()
        with mine.unlocked():
            mine.update_from_flattened_dict(dict(changes))
        found.append(Member(tuple(axes), mine))
    return found


def expand(
    stages: Sequence[Any],
    found: Sequence[Member],
    build: Callable[[ConfigDict, str], Any],
    config: ConfigDict,
) -> tuple[Any, ...]:
    """The stages, each with all its members where they differ.

    A stage that later ones read is the same for all members, and learns with the config's own seed,
    unless an axis reaches it.

    Args:
        stages: of the config itself.
        found: the members.
        build: `build(config, stage)` gives a member's stage.
        config: for how members are trained.

    Raises:
        UserError: an axis reaches no stage, or a stage reads networks that members differ in.
    """
    if not found:
        return tuple(stages)
    if len({axes for axes, _ in found}) < len(found):
        raise UserError("the sweep has the same member twice")
    if config.parallel != "jit":
        raise UserError("a sweep needs config.parallel='jit'")
    vmap, together = _way(config)
    each = {stage.name: [build(one.config, stage.name) for one in found] for stage in stages}
    reached = {name: _differ(made, seed=False) for name, made in each.items()}
    if not any(reached.values()) and len({one.config.seed for one in found}) < len(found):
        raise UserError("the sweep's axes reach no stage: they change nothing that is trained")
    read_later: set[str] = set()
    swept: dict[str, bool] = {}
    for stage in reversed(stages):
        needed = bool(read_later & set(stage.code.trained))
        swept[stage.name] = reached[stage.name] or not needed
        read_later |= {*stage.code.frozen, *stage.init_from.values()}
    made: list[Any] = []
    # For a network that members have their own of, each member's label.
    names: dict[str, list[str]] = {}
    for stage in stages:
        varied = {start for start in stage.init_from.values() if start in names}
        if not (swept[stage.name] or varied):
            made.append(stage)
            continue
        for name in stage.code.frozen:
            if name in names:
                raise UserError(
                    f"stage {stage.name!r} reads {name!r}, which the sweep's members differ in: "
                    "sweep what trains it on its own, and take it with networks."
                    f"{name}.workdir"
                )
        of = _groups(each[stage.name], [names[start] for start in sorted(varied)])
        labels = _labels(found, of)
        distinct = list(dict.fromkeys(labels))
        hypers = {label: each[stage.name][labels.index(label)].hyper for label in distinct}
        starts = {}
        for name, start in stage.init_from.items():
            for label in distinct:
                theirs = names[start][labels.index(label)] if start in names else None
                starts[members.named(name, label)] = (
                    members.named(start, theirs) if theirs else start
                )
        code = members.swept_code(stage.code, distinct, vmap=vmap, together=together)
        made.append(stage._replace(code=code, hyper=hypers, init_from=starts))
        names |= dict.fromkeys(stage.code.trained, labels)
    return tuple(made)


def _way(config: ConfigDict) -> tuple[bool, int]:
    """Whether members are one computation, and how many one call trains (0: all).

    On a CPU XLA runs convolutions over a further axis several times slower than one after another,
    and one call for each member compiles one program however many they are.
    """
    mode, together = config.sweep.mode, config.sweep.together
    if mode not in MODES:
        raise UserError(f"config.sweep.mode is {mode!r}; there are {', '.join(MODES)}")
    if mode == "auto":
        mode = "separate" if jax.default_backend() == "cpu" else "vmap"
    return mode == "vmap", 1 if mode == "separate" else together


def _leaves(stage: Any, seed: bool) -> tuple[Any, ...]:
    hyper = stage.hyper if seed else stage.hyper._replace(seed=0)
    return tuple(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(hyper))


def _differ(stages: Sequence[Any], *, seed: bool) -> bool:
    return len({_leaves(stage, seed) for stage in stages}) > 1


def _groups(stages: Sequence[Any], upstream: Sequence[list[str]]) -> list[int]:
    """For each member the number of its group, in which all is alike."""
    keys = [
        (_leaves(stage, True), *(labels[index] for labels in upstream))
        for index, stage in enumerate(stages)
    ]
    order = list(dict.fromkeys(keys))
    return [order.index(key) for key in keys]


def _labels(found: Sequence[Member], of: Sequence[int]) -> list[str]:
    """For each member its group's label: what the axes of all that are in it have in common."""
    common: dict[int, list[str]] = {}
    for member, group in zip(found, of, strict=True):
        axes = common.setdefault(group, list(member.axes))
        common[group] = [axis for axis in axes if axis in member.axes]
    return ["@".join(common[group]) or "all" for group in of]
