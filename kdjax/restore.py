"""Networks from checkpoints: of a run's own stages, or of another run."""

import functools
from pathlib import Path

import jax
import numpy as np

from kdjax import discover, step, workdir
from kdjax.build import Plan, Stage
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


def others(plan: Plan, layout: Parallel) -> dict[str, NetState]:
    """The networks that a plan takes from other runs, as those chose them.

    Raises:
        UserError: there is no such run or network, it has not finished, or it is of another
            architecture or number of classes.
    """
    found = {}
    for name, wanted in plan.restored.items():
        directory = Path(wanted.workdir).expanduser()
        workdir.load_config(directory)
        result = workdir.load_result(directory)
        if result is None or not result["finished"]:
            raise UserError(f"network {name!r} comes from {directory}, which has not finished")
        if wanted.source not in result["networks"]:
            raise discover.unknown(f"network in {directory}", wanted.source, result["networks"])
        record = result["networks"][wanted.source]
        stage = record["stage"]
        initialise = functools.partial(step.init_network, wanted.network)
        like = layout.replicate(jax.jit(initialise)(np.uint32(0)))
        checkpoints = Checkpoints(directory, stage, read_only=True)
        try:
            at = checkpoints.latest()
            if at is None:
                raise UserError(f"{directory} has no checkpoint of stage {stage!r}")
            item = "selected" if record["selected_by"] == "validation" else "networks"
            found[name] = checkpoints.one_network(at, item, wanted.source, like)
        finally:
            checkpoints.close()
    return found
