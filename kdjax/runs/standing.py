"""How far a run is, by its checkpoints, and which of its networks are not there."""

from pathlib import Path
from typing import NamedTuple

from kdjax.config.plan import Plan, Stage
from kdjax.runs import workdir
from kdjax.runs.checkpoint import Checkpoints

_NAMED = 8
"""So many networks are named; of more, their number is said."""


class Standing(NamedTuple):
    """What a reader of a run's figures has to know of it."""

    unfinished: str
    """How far the run is, in words; empty for a finished one."""
    missing: dict[str, str]
    """Networks that the run has trained and no checkpoint holds any more, and why; what an earlier
    stage left is `<name> after <stage>`."""


def of(directory: Path, plan: Plan) -> Standing:
    """Reads a run's checkpoints and its result.

    Args:
        directory: the workdir.
        plan: its config's.
    """
    result = workdir.load_result(directory) or {"finished": False, "stages": {}}
    steps_of_epoch = len(plan.data.splits["train"].id)
    said: list[str] = []
    there: list[str] = []
    missing: dict[str, str] = {}
    # Only the last stage that trains a network leaves it under its own name.
    last = {name: stage.name for stage in plan.stages for name in stage.code.trained}
    for stage in plan.stages:
        progress = _progress(directory, stage)
        names = stage.code.trained
        if progress is not None:
            there += [name for name in names if name not in there]
            if stage.name not in result["stages"]:
                per_epoch = steps_of_epoch // stage.batch_size
                done, end = progress["batches"], stage.epochs * per_epoch
                said.append(
                    f"stage {stage.name!r} is at epoch {done // per_epoch} of {stage.epochs}, step "
                    f"{done:,} of {end:,}"
                )
        elif stage.name in result["stages"]:
            missing |= {
                name if last[name] == stage.name else f"{name} after {stage.name}": (
                    f"the checkpoint of stage {stage.name!r} is gone"
                )
                for name in names
            }
        else:
            said.append(f"stage {stage.name!r} has no checkpoint yet ({_names(names)})")
    if result["finished"]:
        return Standing("", missing)
    found = f"Its networks so far: {_names(there)}" if there else "It has no networks yet"
    return Standing(f"{directory} is not finished: {'; '.join(said)}. {found}", missing)


def _progress(directory: Path, stage: Stage) -> dict | None:
    """The JSON part of a stage's newest checkpoint, or None."""
    if not (directory / "checkpoints" / stage.name).is_dir():
        return None
    checkpoints = Checkpoints(directory, stage.name, read_only=True)
    try:
        newest = checkpoints.latest()
        return None if newest is None else checkpoints.progress(newest)
    finally:
        checkpoints.close()


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} networks"
