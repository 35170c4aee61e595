"""Networks from checkpoints: of a run's own stages, or of another run."""

import functools
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax import discover, step, workdir
from kdjax.build import Plan, Restored, Stage
from kdjax.build_data import appearance
from kdjax.checkpoint import Checkpoints
from kdjax.errors import UserError
from kdjax.fit import initial_networks
from kdjax.parallel import Parallel
from kdjax.types import NetState


def stage_networks(
    directory: Path, stage: Stage, layout: Parallel, at: int | None
) -> tuple[dict[str, NetState], dict[str, int]] | None:
    """A stage's networks and the steps they are from, or None where it has no such checkpoint.

    Args:
        directory: the workdir.
        stage: one of its config's.
        layout: where the networks are put.
        at: the run's step; None for what the run chose.
    """
    if not (directory / "checkpoints" / stage.name).is_dir():
        return None
    checkpoints = Checkpoints(directory, stage.name, read_only=True)
    try:
        steps = checkpoints.steps()
        if not steps or (at is not None and at not in steps):
            return None
        initialise = jax.jit(functools.partial(initial_networks, stage.program))
        fresh = layout.replicate(initialise(stage.hyper.seed))
        newest = steps[-1] if at is None else at
        if at is None and stage.select == "best" and checkpoints.has_selected(newest):
            records = checkpoints.progress(newest)["selected"]
            networks = checkpoints.networks(newest, "selected", fresh)
            return networks, {name: record["step"] for name, record in records.items()}
        checkpoints.require_layout(newest, layout.layout)
        networks = checkpoints.networks(newest, "networks", layout.spread(fresh))
        return layout.collect(networks), dict.fromkeys(networks, newest)
    finally:
        checkpoints.close()


class Other(NamedTuple):
    """A network from another run."""

    state: NetState
    origin: dict[str, Any]
    """Run, name, stage and step, its figures there, a digest of its variables, and how many of this
    run's validation images it was trained on."""


def others(plan: Plan, layout: Parallel) -> dict[str, Other]:
    """The networks that a plan takes from other runs, as those chose them.

    Raises:
        UserError: there is no such run or network; it has not finished; its images looked otherwise
            or were this run's test images; or it is of another architecture or number of classes.
    """
    return {name: _other(plan, layout, name, wanted) for name, wanted in plan.restored.items()}


def _other(plan: Plan, layout: Parallel, name: str, wanted: Restored) -> Other:
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
    seen = workdir.seen(directory, plan.data)
    if seen.get("test"):
        raise UserError(
            f"{where}, which was trained on {seen['test']} of this run's test images: the split is "
            "another; give both runs the same data.seed"
        )
    record = result["networks"][wanted.source]
    initialise = functools.partial(step.init_network, wanted.network)
    like = layout.replicate(jax.jit(initialise)(np.uint32(0)))
    checkpoints = Checkpoints(directory, record["stage"], read_only=True)
    try:
        at = checkpoints.latest()
        if at is None:
            raise UserError(f"{directory} has no checkpoint of stage {record['stage']!r}")
        item = "selected" if record["selected_by"] == "validation" else "networks"
        state = layout.replicate(checkpoints.one_network(at, item, wanted.source, like))
    finally:
        checkpoints.close()
    origin = {
        "workdir": wanted.workdir,
        "network": wanted.source,
        **{key: record[key] for key in ("stage", "step", "parameters", "validation", "test")},
        "validation_images_seen": seen.get("validation", 0),
        "digest": _digest(state),
    }
    return Other(state, origin)


def _digest(state: NetState) -> str:
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(jax.device_get(state)):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()
