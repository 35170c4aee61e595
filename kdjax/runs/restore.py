"""Networks from checkpoints: those of a run's own stages, and those of other runs."""

import contextlib
import copy
import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from kdjax.config import build, build_terms
from kdjax.config.build_data import appearance
from kdjax.config.plan import Plan, Stage
from kdjax.data.types import DataSet
from kdjax.runs import saved_config, workdir
from kdjax.runs.checkpoint import Checkpoints
from kdjax.step import step
from kdjax.step.members import base_name, initial_networks
from kdjax.step.types import NetState, Network
from kdjax.system import discover
from kdjax.system.errors import UserError
from kdjax.system.progress import console

UNNAMED = "WORKDIR"
"""Stands in a config for the workdir that the user must name."""
_ON_PURPOSE = (
    ". If that is meant, set config.networks.NAME.other_data=True: then nothing says whether the "
    "network has seen this run's test images"
)
Replicate = Callable[[Any], Any]
"""`kdjax.training.layouts.Layout.replicate`: puts arrays on every device."""


class RestoredNetwork(NamedTuple):
    """A network as a checkpoint holds it."""

    name: str
    """In this run's config."""
    stage: str
    step: int
    network: Network
    state: NetState
    origin: dict[str, Any] = {}
    """For a network of another run, its entry in `restored.json`: run, name, stage, step and scores
    there, a digest of its variables, and the number of this run's validation images that it was
    trained on."""


def run_networks(
    directory: Path, plan: Plan, replicate: Replicate, *, at: int | None, stage: str | None
) -> dict[str, RestoredNetwork]:
    """Every network that a run's checkpoints hold, of one stage or of all.

    With `at` they are of the checkpoint of that step, else those that the run chose.

    Returns:
        For each name the network after the last stage that trained it, and after earlier stages
        as `<name> after <stage>`.

    Raises:
        UserError: there is no such stage or checkpoint.
    """
    stages = {stage.name: stage for stage in plan.stages}
    if stage is not None and stage not in stages:
        raise discover.unknown("stage", stage, stages)
    after: dict[str, list[RestoredNetwork]] = {}
    for name in stages if stage is None else [stage]:
        try:
            restored = _stage_networks(directory, stages[name], replicate, at)
        except UserError as error:
            raise UserError(f"{error}. Checkpoints: {_there(directory, stages)}") from error
        for network in restored:
            after.setdefault(network.name, []).append(network)
    if not after:
        what = "no checkpoint" if at is None else f"no checkpoint of step {at}"
        raise UserError(f"{directory} has {what}; there are: {_there(directory, stages)}")
    by_name: dict[str, RestoredNetwork] = {}
    for name, group in after.items():
        # One object for each name, so that one program runs the network after every stage.
        *earlier, last = (network._replace(network=group[0].network) for network in group)
        by_name |= {f"{name} after {network.stage}": network for network in earlier}
        by_name[name] = last
    return by_name


def _stage_networks(
    directory: Path, stage: Stage, replicate: Replicate, at: int | None
) -> list[RestoredNetwork]:
    """A stage's networks; none where it has no such checkpoint."""
    with _checkpoints(directory, stage.name) as checkpoints:
        newest = checkpoints.latest() if at is None else at
        if newest not in checkpoints.steps():
            return []
        initialise = jax.jit(functools.partial(initial_networks, stage.code))
        fresh = replicate(initialise(stage.hyper))
        use_selected = at is None and stage.select == "best"
        selected = checkpoints.progress(newest)["selected"] if use_selected else {}
        item = "selected" if selected else "networks"
        return [
            RestoredNetwork(
                name=name,
                stage=stage.name,
                step=selected[name]["step"] if selected else newest,
                network=stage.code.networks[name],
                state=replicate(state),
            )
            for name, state in checkpoints.networks(newest, item, fresh).items()
        ]


def _there(directory: Path, stages: Iterable[str]) -> str:
    """The steps of all checkpoints, in words."""
    steps = []
    for stage in stages:
        with _checkpoints(directory, stage) as checkpoints:
            steps += [f"{step} ({stage})" for step in checkpoints.steps()]
    return ", ".join(steps) or "none"


def _checkpoints(directory: Path, stage: str) -> contextlib.closing[Checkpoints]:
    return contextlib.closing(Checkpoints(directory, stage, read_only=True))


def with_other_runs(config: ConfigDict, saved: ConfigDict | None) -> ConfigDict:
    """The config with what networks of other runs bring along: model, preprocessing and classes.

    Args:
        config: of this run.
        saved: the config in this run's workdir, if the run has begun: it has them already.

    Raises:
        UserError: there is no such run or network.
    """
    config = copy.deepcopy(config)
    for name, entry in config.networks.items():
        if not entry.workdir:
            continue
        before = saved.networks[name] if saved and name in saved.networks else None
        if before is not None and before.workdir == entry.workdir:
            entry.model, entry.classes = before.model, before.classes
            entry.source = entry.source or before.source
            for key, value in build_terms.values(before.preprocessing).items():
                entry.preprocessing[key] = value
            continue
        if entry.workdir == UNNAMED:
            raise UserError(
                f"network {name!r} comes from another run or an import: name its workdir with "
                f"--config.networks.{name}.workdir=DIR"
            )
        directory = Path(entry.workdir).expanduser()
        there = workdir.load_config(directory)
        if not entry.source and name not in there.networks and len(there.networks) == 1:
            entry.source = next(iter(there.networks))
        source = base_name(entry.source or name)
        if source not in there.networks:
            raise discover.unknown(f"network in {directory}", source, there.networks)
        entry.model = there.networks[source].model
        own = build.own_preprocessing(there, source) or build.run_preprocessing(there.data)
        if own != build.run_preprocessing(config.data):
            entry.preprocessing.update(own._asdict())
        if entry.head:
            entry.classes = len(class_names(directory, there, source))
    return config


def other_runs_network(plan: Plan, replicate: Replicate, name: str) -> RestoredNetwork:
    """The network `name` of `plan.restored`, as its run chose it.

    Raises:
        UserError: there is no such run or network; it has not finished; its images were cut
            otherwise or were this run's test images; or it is of another architecture or of other
            classes.
    """
    restored = plan.restored[name]
    directory = Path(restored.workdir).expanduser()
    where = f"network {name!r} comes from {directory}"
    config, record = workdir.load_config(directory), finished_record(directory, restored.source)
    imported = config.method == workdir.IMPORT
    if not restored.head:
        names = class_names(directory, config, restored.source)
        _require_classes(f"{where}, which", names, plan.data)
    seen: dict[str, int] = {}
    if not (imported or restored.other_data):
        there, here = (
            {key: looks[key] for key in ("data.name", "data.crop")}
            for looks in (appearance(config.data), plan.appearance)
        )
        if differing := saved_config.differences(there, here):
            what = "; ".join(differing)
            raise UserError(f"{where}, whose images are others: {what}{_ON_PURPOSE}")
        seen = workdir.seen(directory, plan.data, ("train",))
        # Validation images have chosen the network, or when to stop.
        if known := workdir.seen(directory, plan.data, ("train", "validation")).get("test"):
            raise UserError(
                f"{where}, which was trained or selected on {known} of this run's test images: the "
                "split is another; give both runs the same data.seed"
            )
    elif known := _test_images_seen(directory, config, plan):
        console.print(
            f"warning: {where}, which was trained or selected on {known} of this run's test "
            "images: test accuracies of networks that learn from it are too good",
            soft_wrap=True,
        )
    state = saved_state(directory, restored.source, record, restored.saved, replicate)
    if restored.head == "new":
        initialise = jax.jit(functools.partial(step.init_network, restored.network))
        fresh = replicate(initialise(np.uint32(restored.seed)))
        head = {layer: fresh.params[layer] for layer in restored.head_layers}
        state = state._replace(params={**state.params, **head})
    origin = {
        "workdir": restored.workdir,
        "network": restored.source,
        **{key: record[key] for key in ("stage", "step", "parameters", "validation", "test")},
        "validation_images_seen": seen.get("validation", 0),
        "digest": digest(state),
    }
    return RestoredNetwork(name, record["stage"], record["step"], restored.network, state, origin)


def _test_images_seen(directory: Path, config: ConfigDict, plan: Plan) -> int:
    """How many of this run's test images another run has seen, if both have the same images."""
    same_name = config.data.name == plan.appearance["data.name"]
    if not same_name or not workdir.has_images_of(directory, plan.data):
        return 0
    return workdir.seen(directory, plan.data, ("train", "validation")).get("test", 0)


def class_names(directory: Path, config: ConfigDict, name: str) -> tuple[str, ...]:
    """The names of the classes of a run's network; none where it has no last layer.

    Args:
        directory: the run's workdir.
        config: the run's.
        name: the network's name in the run's result.
    """
    entry, names = config.networks[base_name(name)], workdir.class_names(directory)
    if not build.classes_of(entry, len(names)):
        return ()
    # With `head=own` its classes are those of the run that it comes from.
    return workdir.class_names(Path(entry.workdir).expanduser()) if entry.head == "own" else names


def finished_record(directory: Path, name: str) -> dict[str, Any]:
    """The record of one network in the result of a finished run.

    Raises:
        UserError: the run has not finished, or has no such network.
    """
    result = workdir.load_result(directory)
    if result is None or not result["finished"]:
        raise UserError(f"{directory} has not finished")
    if name not in result["networks"]:
        raise discover.unknown(f"network in {directory}", name, result["networks"])
    return result["networks"][name]


def saved_state(
    directory: Path, name: str, record: dict[str, Any], network: Network, replicate: Replicate
) -> NetState:
    """The variables of a network that heads its run's result; `record` is its record there."""
    initialise = jax.jit(functools.partial(step.init_network, network))
    like = {name: replicate(initialise(np.uint32(0)))}
    with _checkpoints(directory, record["stage"]) as checkpoints:
        at = checkpoints.latest()
        if at is None:
            raise UserError(f"{directory}: the checkpoint of stage {record['stage']!r} is gone")
        item = "selected" if record["selected_by"] == "validation" else "networks"
        return replicate(checkpoints.networks(at, item, like)[name])


def _require_classes(where: str, there: tuple[str, ...], data: DataSet) -> None:
    """Makes sure that a network's classes are this run's classes, in their order."""
    here = data.class_names
    if there == here:
        return
    if not there:
        what = "has no last layer"
    elif len(there) != len(here):
        what = f"has {len(there):,} classes where this run has {len(here):,}"
    else:
        index = next(i for i, pair in enumerate(zip(there, here, strict=True)) if len({*pair}) > 1)
        what = f"has other classes: its class {index} is {there[index]!r}, and here {here[index]!r}"
    raise UserError(
        f"{where} {what}: config.networks.NAME.head=new gives it a fresh last layer to train, and "
        "head=own lets terms read its features alone"
    )


def digest(state: NetState) -> str:
    """Depends on all of a network's variables."""
    sha256 = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(state)):
        sha256.update(np.ascontiguousarray(leaf).tobytes())
    return sha256.hexdigest()
