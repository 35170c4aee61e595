"""Draws and writes all figures of a report."""

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from kdjax.evaluation import records
from kdjax.plots import figures
from kdjax.plots.drawing import style
from kdjax.plots.types import Picture, Run, Section
from kdjax.runs import writers
from kdjax.system import discover
from kdjax.system.progress import Bar


def figure_files() -> list[ModuleType]:
    """Every file of `kdjax.plots.figures`, in the order of a report."""
    package = figures.__name__
    files = [importlib.import_module(f"{package}.{name}") for name in discover.names(package)]
    return sorted(files, key=lambda file: file.ORDER)


def write(runs: Sequence[Run], folder: Path) -> list[Picture]:
    """Draws every figure that there is something to draw for: of all runs, then of each run.

    Raises:
        UserError: no network has a map of a layer, or nothing can be written to the folder.
    """
    files = figure_files()
    groups = [(_of_runs(file, runs), "", "") for file in files]
    for place, label in enumerate(records.run_labels([run.record for run in runs])):
        about = f": {label}" if len(runs) > 1 else ""
        groups += [(_of_run(file, runs[place]), about, f"-{place}") for file in files]
    pictures = []
    with Bar("drawing", len(groups)) as bar, style.styled():
        for done, (sections, about, number) in enumerate(groups, start=1):
            for heading, name, caption, figure in sections:
                if figure is not None:
                    with writers.writing(folder):
                        path = style.save(figure, folder, name + number)
                    pictures.append(Picture(heading + about, caption, path))
            bar.to(done)
    return pictures


def _of_runs(file: ModuleType, runs: Sequence[Run]) -> Iterator[Section]:
    """The figures of all runs that a file draws, if any."""
    if hasattr(file, "draw_records"):
        figure = file.draw_records([run.record for run in runs])
        yield Section(file.HEADING, _name(file), file.CAPTION, figure)
    elif hasattr(file, "of_runs"):
        yield from file.of_runs(runs)


def _of_run(file: ModuleType, run: Run) -> Iterator[Section]:
    """The figures of one run that a file draws, if any."""
    if hasattr(file, "draw_record"):
        yield Section(file.HEADING, _name(file), file.CAPTION, file.draw_record(run.record))
    elif hasattr(file, "of_run"):
        yield from file.of_run(run)


def _name(file: ModuleType) -> str:
    return file.__name__.rpartition(".")[2].replace("_", "-")
