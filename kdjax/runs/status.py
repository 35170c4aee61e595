"""How far a run is, by its checkpoints, and which of its networks are missing."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from kdjax.config.plan import Plan
from kdjax.runs import workdir
from kdjax.runs.checkpoint import Checkpoints

_NAMED = 8
"""The largest number of networks that a line names; of more it says their number."""


def read(directory: Path, plan: Plan) -> tuple[str, dict[str, str]]:
    """Reads the checkpoints and the result in a run's workdir.

    Returns:
        How far the run is, in words, empty for a finished run; and the networks that the run has
        trained and whose checkpoint is gone, and why: after an earlier stage `<name> after
        <stage>`.
    """
    result = workdir.load_result(directory) or {"finished": False, "stages": {}}
    texts: list[str] = []
    there: dict[str, None] = {}
    missing: dict[str, str] = {}
    # Only the last stage that trains a network leaves it under its own name.
    last = {name: stage.name for stage in plan.stages for name in stage.code.trained}
    for stage in plan.stages:
        with contextlib.closing(Checkpoints(directory, stage.name, read_only=True)) as checkpoints:
            newest = checkpoints.latest()
            progress = None if newest is None else checkpoints.progress(newest)
        names, finished = stage.code.trained, stage.name in result["stages"]
        if progress is None and finished:
            reason = f"the checkpoint of stage {stage.name!r} is gone"
            after = f" after {stage.name}"
            missing |= {name + after * (last[name] != stage.name): reason for name in names}
        elif progress is None:
            texts.append(f"stage {stage.name!r} has no checkpoint yet ({_names(names)})")
        else:
            there |= dict.fromkeys(names)
            if not finished:
                per_epoch = len(plan.data.splits["train"].id) // stage.batch_size
                done, end = progress["batches"], stage.epochs * per_epoch
                texts.append(
                    f"stage {stage.name!r} is at epoch {done // per_epoch} of {stage.epochs}, step "
                    f"{done:,} of {end:,}"
                )
    if result["finished"]:
        return "", missing
    networks = f"Its networks so far: {_names([*there])}" if there else "It has no networks yet"
    return f"{directory} is not finished: {'; '.join(texts)}. {networks}", missing


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _NAMED else f"{len(names)} networks"
