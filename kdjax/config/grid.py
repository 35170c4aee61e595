"""The grid of a sweep: from axes to members, and the stages that members differ in."""

import copy
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from kdjax.config import build_terms, effects, ranges
from kdjax.config.plan import Stage
from kdjax.step.members import named, swept_code
from kdjax.system import config_file
from kdjax.system.errors import UserError

MODES = ("auto", "separate", "vmap")


def make(
    config: ConfigDict,
    axes: Sequence[tuple[str, Sequence[float | str]]],
    seeds: int,
    *,
    mode: str = "auto",
    together: int = 0,
) -> ConfigDict:
    """A config whose `sweep` has every combination of the axes' values, with every seed, as member.

    Args:
        config: of one run.
        axes: keys and their values.
        seeds: the number of seeds, from the config's on.
        mode: "separate" (a call of the compiled step for each member), "vmap" (one computation over
            a further axis), or "auto", which chooses by device.
        together: the number of members that one call trains with "vmap"; 0 for all of them.

    Raises:
        UserError: the config has no such key, or the key takes no such value.
    """
    plain = dict(ranges.leaves(config))

    def changes(values: Sequence[tuple[str, float | str]]) -> tuple[tuple[str, Any], ...]:
        """The dotted keys, with their values, that change where these keys get these values."""
        # Deep, or they would share the references through which a key reaches others.
        changed = copy.deepcopy(config)
        for key, value in values:
            _set(changed, key, value)
        return tuple(
            (key, value) for key, value in ranges.leaves(changed) if plain.get(key) != value
        )

    keys = [key for key, _ in axes]
    if len(set(keys)) < len(keys):
        raise UserError(f"--axis: {', '.join(keys)}: every key once, with all its values")
    unread = effects.unread(config, keys)
    for key in keys:
        if key in unread or key in effects.READ_BY_NAME:
            raise UserError(f"--axis={key}=...: it reaches no hyper-parameter of a stage")
    members = []
    for point in itertools.product(*(values for _, values in axes)):
        for seed in range(config.seed, config.seed + seeds):
            named_values = [*zip(keys, point, strict=True), ("seed", seed)]
            labels = tuple(f"{key}={_short(value)}" for key, value in named_values)
            members.append((labels, changes(named_values)))
    swept = copy.deepcopy(config)
    with swept.unlocked():
        swept.sweep = ConfigDict(dict(members=tuple(members), mode=mode, together=together))
    return swept


def _short(value: float | str) -> str:
    """A value that reads back as itself; a number without a fraction where it has none."""
    if isinstance(value, str):
        return value.replace(" ", "")
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _set(config: ConfigDict, key: str, value: float | str) -> None:
    """Sets a dotted key, as `--config.KEY=VALUE` does.

    Raises:
        UserError: there is no such key, or it has another type.
    """
    try:
        config_file.require_key(config, key)
    except UserError as error:
        raise UserError(f"--axis={key}=...: {error}") from error
    *path, last = key.split(".")
    holder = config
    for part in path:
        holder = holder[part]
    present = holder[last]
    if holder.get_type(last) is config_file.Formula:
        holder[last] = value
        return
    if not isinstance(present, int | float) or isinstance(present, bool):
        kind = type(present).__name__
        raise UserError(f"--axis={key}=...: config.{key} is of type {kind}, which is no number")
    if isinstance(value, str):
        raise UserError(f"--axis={key}=...: config.{key} takes numbers, not {value!r}")
    if isinstance(present, int) and value != int(value):
        raise UserError(f"--axis={key}=...: config.{key} takes whole numbers, not {value:g}")
    holder[last] = type(present)(value)


class Member(NamedTuple):
    """One point of the grid."""

    axes: tuple[str, ...]
    """Such as `alpha=0.1` and `seed=0`."""
    config: ConfigDict


def read(config: ConfigDict) -> list[Member]:
    """The members of a config's sweep; none where it has no `sweep`, which `kdjax.sweep` adds.

    Raises:
        UserError: a member differs in more than its seed and hyper-parameters.
    """
    members: list[Member] = []
    if "sweep" not in config:
        return members
    for axes, changes in config.sweep.members:
        _require_values(config, (key for key, _ in changes))
        own = config.copy_and_resolve_references()
        # A formula may take a number's place.
        with own.unlocked(), own.ignore_type():
            own.update_from_flattened_dict(dict(changes))
        members.append(Member(tuple(axes), own))
    return members


def _require_values(config: ConfigDict, changes: Iterable[str]) -> None:
    """Makes sure that a member differs in its seed and in hyper-parameters alone.

    Raises:
        UserError: it differs in another key.
    """
    allowed = {"seed"}
    for name, stage in config.stages.items():
        rates = ("learning_rate", "learning_rate_schedule", "trunk_rate")
        allowed |= {f"stages.{name}.{rate}" for rate in rates}
        for term, entry in stage.terms.items():
            values = build_terms.hyper_parameters(entry)
            allowed |= {f"stages.{name}.terms.{term}.{value}" for value in values}
    for key in changes:
        if key not in allowed and ("." in key or key in effects.READ_BY_NAME):
            raise UserError(
                f"the sweep changes config.{key}; members can differ in seed, learning rates, "
                "weights, temperatures and other hyper-parameters of terms, and share all else"
            )


def expand(
    stages: Sequence[Stage],
    members: Sequence[Member],
    of_members: Mapping[str, Sequence[Stage]],
    config: ConfigDict,
) -> tuple[Stage, ...]:
    """The stages, each with all its members where they differ.

    A stage that later ones read is the same for all members, and learns with the config's own seed,
    unless an axis reaches it.

    Args:
        stages: the stages of the sweep's own config.
        members: the sweep's members.
        of_members: by stage, the stage of every member.
        config: for the way in which members are trained.

    Raises:
        UserError: an axis reaches no stage, or a stage reads networks that members differ in.
    """
    if len({member.axes for member in members}) < len(members):
        raise UserError("the sweep has the same member twice")
    if config.parallel != "jit":
        raise UserError("a sweep needs config.parallel='jit'")
    vmap, together = _execution(config)
    reached = {name: _differ(variants) for name, variants in of_members.items()}
    seeds = {member.config.seed for member in members}
    if not any(reached.values()) and len(seeds) < len(members):
        raise UserError("the sweep's axes reach no stage: they change nothing that is trained")
    read_later: set[str] = set()
    swept: dict[str, bool] = {}
    for stage in reversed(stages):
        needed = bool(read_later & set(stage.code.trained))
        swept[stage.name] = reached[stage.name] or not needed
        read_later |= {*stage.code.frozen, *stage.init_from.values()}
    expanded: list[Stage] = []
    # For a network that differs between members, every member's label.
    labels_of: dict[str, list[str]] = {}
    for stage in stages:
        varied = {start for start in stage.init_from.values() if start in labels_of}
        if not (swept[stage.name] or varied):
            expanded.append(stage)
            continue
        for name in stage.code.frozen:
            if name in labels_of:
                raise UserError(
                    f"stage {stage.name!r} reads {name!r}, which the sweep's members differ in: "
                    f"choose an axis of that stage alone, as stages.{stage.name}.learning_rate, or "
                    f"sweep the stage that trains {name!r} on its own and take the network with "
                    f"networks.{name}.workdir"
                )
        variants = of_members[stage.name]
        groups = _groups(variants, [labels_of[start] for start in sorted(varied)])
        labels = _labels(members, groups)
        distinct = list(dict.fromkeys(labels))
        first = {label: labels.index(label) for label in distinct}
        hypers = {label: variants[index].hyper for label, index in first.items()}
        starts = {
            named(name, label): named(start, labels_of[start][index])
            if start in labels_of
            else start
            for name, start in stage.init_from.items()
            for label, index in first.items()
        }
        code = swept_code(stage.code, distinct, vmap=vmap, together=together)
        expanded.append(stage._replace(code=code, hyper=hypers, init_from=starts))
        labels_of |= dict.fromkeys(stage.code.trained, labels)
    return tuple(expanded)


def _execution(config: ConfigDict) -> tuple[bool, int]:
    """Whether members are one computation, and the number that one call trains (0: all).

    On a CPU XLA runs convolutions over a further axis several times slower than one after another,
    and one call for each member compiles one program however many they are.
    """
    mode, together = config.sweep.mode, config.sweep.together
    if mode not in MODES:
        raise UserError(f"config.sweep.mode is {mode!r}; there are {', '.join(MODES)}")
    if mode == "auto":
        mode = "separate" if jax.default_backend() == "cpu" else "vmap"
    return mode == "vmap", 1 if mode == "separate" else together


def _leaves(stage: Stage) -> tuple[object, ...]:
    """The stage's hyper-parameters with their structure, to be compared."""
    leaves, structure = jax.tree.flatten(stage.hyper)
    return structure, *(np.asarray(leaf).tobytes() for leaf in leaves)


def _differ(variants: Sequence[Stage]) -> bool:
    """Whether hyper-parameters differ, leaving the seed aside.

    Raises:
        UserError: a member has another kind of schedule, which needs a program of its own.
    """
    without_seed = [stage._replace(hyper=stage.hyper._replace(seed=0)) for stage in variants]
    if len({jax.tree.structure(stage.hyper) for stage in without_seed}) > 1:
        raise UserError(
            f"stage {variants[0].name!r}: the sweep's members have schedules of different kinds; "
            "sweep the numbers in a schedule, or each kind on its own"
        )
    return len({_leaves(stage) for stage in without_seed}) > 1


def _groups(variants: Sequence[Stage], upstream: Sequence[list[str]]) -> list[int]:
    """For each member the number of its group: the members of a group are equal in this stage."""
    keys = [
        (_leaves(stage), *(labels[index] for labels in upstream))
        for index, stage in enumerate(variants)
    ]
    order = list(dict.fromkeys(keys))
    return [order.index(key) for key in keys]


def _labels(members: Sequence[Member], groups: Sequence[int]) -> list[str]:
    """For each member its group's label: the axes that all members of the group have in common."""
    common: dict[int, list[str]] = {}
    for member, group in zip(members, groups, strict=True):
        axes = common.setdefault(group, list(member.axes))
        common[group] = [axis for axis in axes if axis in member.axes]
    return ["@".join(common[group]) or "all" for group in groups]
