"""Networks from checkpoints: of a run's own stages, or of another run."""

import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from kdjax.config.build_data import appearance
from kdjax.config.plan import Plan, Restored, Stage
from kdjax.runs import workdir
from kdjax.runs.checkpoint import Checkpoints
from kdjax.step import step
from kdjax.step.members import initial_networks
from kdjax.step.types import NetState, Network
from kdjax.system import discover
from kdjax.system.errors import UserError


class Layout(Protocol):
    """What restoring needs of `kdjax.training.layouts.Layout`: how networks lie on the devices."""

    @property
    def description(self) -> str: ...
    @property
    def replicate(self) -> Callable[[Any], Any]: ...
    @property
    def spread(self) -> Callable[[Any], Any]: ...
    @property
    def collect(self) -> Callable[[dict[str, NetState]], dict[str, NetState]]: ...


def stage_networks(
    directory: Path, stage: Stage, layout: Layout, at: int | None
) -> dict[str, tuple[NetState, int]]:
    """A stage's networks and the steps they are from; none where it has no such checkpoint.

    Args:
        directory: the workdir.
        stage: one of its config's.
        layout: where the networks are put.
        at: the run's step; None for what the run chose.
    """
    if not (directory / "checkpoints" / stage.name).is_dir():
        return {}
    checkpoints = Checkpoints(directory, stage.name, read_only=True)
    try:
        steps = checkpoints.steps()
        if not steps or (at is not None and at not in steps):
            return {}
        initialise = jax.jit(functools.partial(initial_networks, stage.code))
        fresh = layout.replicate(initialise(stage.hyper))
        newest = steps[-1] if at is None else at
        if at is None and stage.select == "best" and checkpoints.has_selected(newest):
            records = checkpoints.progress(newest)["selected"]
            networks = checkpoints.networks(newest, "selected", fresh)
            return {name: (networks[name], records[name]["step"]) for name in networks}
        checkpoints.require_layout(newest, layout.description)
        networks = checkpoints.networks(newest, "networks", layout.spread(fresh))
        return {name: (state, newest) for name, state in layout.collect(networks).items()}
    finally:
        checkpoints.close()


class Found(NamedTuple):
    """A network as a checkpoint holds it."""

    name: str
    """In the config."""
    stage: str
    step: int
    network: Network
    state: NetState
    workdir: str = ""
    """The run that it is from, where that is another one."""


def rows(
    directory: Path, plan: Plan, layout: Layout, *, step: int | None, stage: str | None
) -> dict[str, Found]:
    """Every network that a run's checkpoints hold.

    Args:
        directory: the workdir.
        plan: its config's.
        layout: where the networks are put.
        step: of a checkpoint; None for what the run chose.
        stage: None for all of them.

    Returns:
        By name what the last stage left that trained it, and as `<name> after <stage>` what
        earlier ones did.

    Raises:
        UserError: there is no such stage or checkpoint.
    """
    stages = {one.name: one for one in plan.stages}
    if stage is not None and stage not in stages:
        raise discover.unknown("stage", stage, stages)
    wanted = list(stages.values()) if stage is None else [stages[stage]]
    left: dict[str, list[Found]] = {}
    # One object for each name, so that what stages left of it is run by one program.
    networks: dict[str, Network] = {}
    for one in wanted:
        try:
            restored = stage_networks(directory, one, layout, step)
        except UserError as error:
            raise UserError(f"{error}. Checkpoints: {_there(directory, stages)}") from error
        for name, (state, at) in restored.items():
            network = networks.setdefault(name, one.code.networks[name])
            left.setdefault(name, []).append(Found(name, one.name, at, network, state))
    if not left:
        what = "no checkpoint" if step is None else f"no checkpoint of step {step}"
        raise UserError(f"{directory} has {what}; there are: {_there(directory, stages)}")
    found: dict[str, Found] = {}
    for name, (*earlier, last) in left.items():
        found |= {f"{name} after {one.stage}": one for one in earlier}
        found[name] = last
    return found


def _there(directory: Path, stages: Iterable[str]) -> str:
    """The steps of all checkpoints, in words."""
    found = [f"{step} ({stage})" for stage in stages for step in _steps(directory, stage)]
    return ", ".join(found) or "none"


def _steps(directory: Path, stage: str) -> list[int]:
    """The steps of a stage's checkpoints."""
    if not (directory / "checkpoints" / stage).is_dir():
        return []
    checkpoints = Checkpoints(directory, stage, read_only=True)
    try:
        return checkpoints.steps()
    finally:
        checkpoints.close()


class Other(NamedTuple):
    """A network from another run."""

    state: NetState
    origin: dict[str, Any]
    """Run, name, stage and step, its figures there, a digest of its variables, and how many of this
    run's validation images it was trained on."""


def others(plan: Plan, layout: Layout) -> dict[str, Other]:
    """The networks that a plan takes from other runs, as those chose them.

    Raises:
        UserError: there is no such run or network; it has not finished; its images looked otherwise
            or were this run's test images; or it is of another architecture or number of classes.
    """
    return {name: other(plan, layout, name, wanted) for name, wanted in plan.restored.items()}


def other(plan: Plan, layout: Layout, name: str, wanted: Restored) -> Other:
    """One of `others`."""
    directory = Path(wanted.workdir).expanduser()
    where = f"network {name!r} comes from {directory}"
    config, result = workdir.load_config(directory), workdir.load_result(directory)
    if result is None or not result["finished"]:
        raise UserError(f"{where}, which has not finished")
    if wanted.source not in result["networks"]:
        raise discover.unknown(f"network in {directory}", wanted.source, result["networks"])
    theirs, mine = (
        workdir.flatten(workdir.jsonable(one))
        for one in (appearance(config.data), dict(plan.appearance))
    )
    differing = workdir.differences(theirs, mine)
    if differing:
        raise UserError(f"{where}, whose images look otherwise: {'; '.join(differing)}")
    seen = workdir.seen(directory, plan.data, ("train",))
    # Validation images have chosen the network, or when to stop.
    if known := workdir.seen(directory, plan.data, ("train", "validation")).get("test"):
        raise UserError(
            f"{where}, which was trained or selected on {known} of this run's test images: the "
            "split is another; give both runs the same data.seed"
        )
    record = result["networks"][wanted.source]
    initialise = functools.partial(step.init_network, wanted.network)
    like = layout.replicate(jax.jit(initialise)(np.uint32(0)))
    steps = _steps(directory, record["stage"])
    if not steps:
        raise UserError(f"{where}, whose checkpoint of stage {record['stage']!r} is gone")
    checkpoints, at = Checkpoints(directory, record["stage"], read_only=True), steps[-1]
    try:
        item = "selected" if record["selected_by"] == "validation" else "networks"
        state = layout.replicate(checkpoints.one_network(at, item, wanted.source, like))
    finally:
        checkpoints.close()
    origin = {
        "workdir": wanted.workdir,
        "network": wanted.source,
        **{key: record[key] for key in ("stage", "step", "parameters", "validation", "test")},
        "validation_images_seen": seen.get("validation", 0),
        "digest": digest(state),
    }
    return Other(state, origin)


def digest(state: NetState) -> str:
    """Depends on all of a network's variables."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(state)):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()
