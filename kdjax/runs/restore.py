"""Networks from checkpoints: those of a run's own stages, and those of other runs."""

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax.config.build_data import appearance
from kdjax.config.plan import Plan, Stage
from kdjax.runs import saved_config, workdir
from kdjax.runs.checkpoint import Checkpoints
from kdjax.step import step
from kdjax.step.members import initial_networks
from kdjax.step.types import NetState, Network
from kdjax.system import discover
from kdjax.system.errors import UserError

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


def other_runs_network(plan: Plan, replicate: Replicate, name: str) -> RestoredNetwork:
    """The network `name` of `plan.restored`, as its run chose it.

    Raises:
        UserError: there is no such run or network; it has not finished; its images looked otherwise
            or were this run's test images; or it is of another architecture or number of classes.
    """
    wanted = plan.restored[name]
    directory = Path(wanted.workdir).expanduser()
    where = f"network {name!r} comes from {directory}"
    config, result = workdir.load_config(directory), workdir.load_result(directory)
    if result is None or not result["finished"]:
        raise UserError(f"{where}, which has not finished")
    if wanted.source not in result["networks"]:
        raise discover.unknown(f"network in {directory}", wanted.source, result["networks"])
    there, here = (
        saved_config.flatten(saved_config.jsonable(looks))
        for looks in (appearance(config.data), dict(plan.appearance))
    )
    if differing := saved_config.differences(there, here):
        raise UserError(f"{where}, whose images look otherwise: {'; '.join(differing)}")
    seen = workdir.seen(directory, plan.data, ("train",))
    # Validation images have chosen the network, or when to stop.
    if known := workdir.seen(directory, plan.data, ("train", "validation")).get("test"):
        raise UserError(
            f"{where}, which was trained or selected on {known} of this run's test images: the "
            "split is another; give both runs the same data.seed"
        )
    record = result["networks"][wanted.source]
    initialise = jax.jit(functools.partial(step.init_network, wanted.network))
    like = {wanted.source: replicate(initialise(np.uint32(0)))}
    with _checkpoints(directory, record["stage"]) as checkpoints:
        at = checkpoints.latest()
        if at is None:
            raise UserError(f"{where}, whose checkpoint of stage {record['stage']!r} is gone")
        item = "selected" if record["selected_by"] == "validation" else "networks"
        state = replicate(checkpoints.networks(at, item, like)[wanted.source])
    origin = {
        "workdir": wanted.workdir,
        "network": wanted.source,
        **{key: record[key] for key in ("stage", "step", "parameters", "validation", "test")},
        "validation_images_seen": seen.get("validation", 0),
        "digest": digest(state),
    }
    return RestoredNetwork(name, record["stage"], record["step"], wanted.network, state, origin)


def digest(state: NetState) -> str:
    """Depends on all of a network's variables."""
    sha256 = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(state)):
        sha256.update(np.ascontiguousarray(leaf).tobytes())
    return sha256.hexdigest()
