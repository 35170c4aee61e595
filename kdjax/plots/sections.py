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
    of_all = [file for file in files if hasattr(file, "of_runs")]
    of_each = [file for file in files if hasattr(file, "of_run")]

    def sections() -> Iterator[Iterator[Section]]:
        for file in of_all:
            yield file.of_runs(runs)
        labels = records.run_labels([run.record for run in runs])
        for place, (run, label) in enumerate(zip(runs, labels, strict=True)):
            about = f": {label}" if len(runs) > 1 else ""
            for file in of_each:
                yield (
                    section._replace(
                        heading=section.heading + about, name=f"{section.name}-{place}"
                    )
                    for section in file.of_run(run)
                )

    pictures = []
    with Bar("drawing", len(of_all) + len(runs) * len(of_each)) as bar:
        for done, drawn in enumerate(sections(), start=1):
            for heading, name, caption, figure in drawn:
                if figure is not None:
                    with writers.writing(folder):
                        path = style.save(figure, folder, name)
                    pictures.append(Picture(heading, caption, path))
            bar.to(done)
    return pictures
