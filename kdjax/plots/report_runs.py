"""The runs of a report; of a sweep its settings, and the member whose own figures are shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kdjax.evaluation import sweep_settings
from kdjax.evaluation.tables import Table
from kdjax.plots.types import Run
from kdjax.runs import workdir

if TYPE_CHECKING:
    from kdjax.evaluation.run_evaluation import Evaluation


def make(
    evaluation: "Evaluation",
    directory: Path,
    networks: Sequence[str] = (),
    images: int = 0,
    layers: Sequence[str] = (),
) -> Run:
    """The run of a workdir, as `Run` describes it.

    Networks that the user names are shown themselves, not their settings.
    """
    record = evaluation.record
    # An unfinished run has no result.
    result = workdir.load_result(directory) or {"networks": {}}
    swept = any("@" in row for row in result["networks"])
    settings = sweep_settings.settings(result) if swept else []
    member, about = sweep_settings.choose_member(settings, networks)
    return Run(
        directory=directory,
        evaluation=evaluation,
        record=record if networks else sweep_settings.by_setting(record),
        settings=settings,
        member=member,
        rows=[row for row in record["networks"] if networks or sweep_settings.belongs(row, member)],
        about=about,
        images=images,
        layers=list(layers),
    )


def notes(runs: Sequence[Run], networks: Sequence[str]) -> list[str]:
    """For each sweep in which no setting is chosen, why, and how to see a member's own figures."""
    return [
        f"{run.directory}: {sweep_settings.NO_CHOICE} Name a member to see figures of its own: "
        "--networks=teacher,student@..."
        for run in runs
        if any(setting["axes"] for setting in run.settings)
        and not networks
        and not sweep_settings.best(run.settings)
    ]


def tables(runs: Sequence[Run]) -> list[Table]:
    """For each sweep the means over seeds of every setting."""
    return [
        sweep_settings.table(run.settings, sweep_settings.best(run.settings), str(run.directory))
        for run in runs
        if run.settings
    ]
