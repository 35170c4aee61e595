"""The accuracy of students over alpha and temperature."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from kdjax.evaluation import sweep_settings
from kdjax.evaluation.sweep_settings import Setting
from kdjax.plots.drawing import cells, style
from kdjax.plots.types import Run, Section
from kdjax.runs import workdir

ORDER = 50
_AXES = ("alpha", "temperature")

Cells = dict[tuple[float, float], list[float]]
"""Accuracies in percent, one for each seed, by alpha and temperature."""


def of_runs(runs: Sequence[Run]) -> Iterator[Section]:
    caption = "Each cell is a run, or the mean of several seeds."
    for place, (name, (split, accuracies)) in enumerate(students(runs).items()):
        figure = draw(accuracies, split=split)
        yield Section(f"Alpha and temperature: {name}", f"grid-{place}", caption, figure)


def students(runs: Sequence[Run]) -> dict[str, tuple[str, Cells]]:
    """The students that differ in both alpha and temperature, as runs or as members of a sweep.

    Returns:
        By method, data set and other axes, the split and the students' cells. The split is
        validation where every student has it.
    """
    groups: dict[str, list[tuple[tuple[float, float], Setting]]] = {}
    for run in runs:
        result = workdir.load_result(run.directory)
        for setting in sweep_settings.settings(result) if result else ():
            axes = setting["axes"]
            alpha, temperature = (axes.get(axis, run.record[axis]) for axis in _AXES)
            # A formula has no place on an axis.
            formula = isinstance(alpha, str) or isinstance(temperature, str)
            if setting["network"] == "student" and not formula:
                others = sorted(axes.keys() - _AXES)
                words = [f", {axis} {sweep_settings.value_text(axes[axis])}" for axis in others]
                name = f"{run.record['method']} on {run.record['dataset']}{''.join(words)}"
                groups.setdefault(name, []).append(((alpha, temperature), setting))
    accuracies_of = {}
    for name, group in groups.items():
        split = sweep_settings.split_of([setting for _, setting in group])
        accuracies: Cells = {}
        for cell, setting in group:
            accuracies.setdefault(cell, []).extend(setting[split])
        if all(len(set(values)) > 1 for values in zip(*accuracies, strict=True)):
            accuracies_of[name] = split, accuracies
    return accuracies_of


def draw(accuracies: Cells, *, split: str) -> Figure | None:
    """Heat map of accuracy over alpha and temperature; the best cell on validation is framed.

    Temperature ascends to the right and alpha upwards, both evenly spaced whatever their values; a
    pair that was not tried is hatched. Several seeds are averaged, and their number is stated.
    """
    if not accuracies:
        return None
    alphas, temperatures = (sorted(set(values)) for values in zip(*accuracies, strict=True))
    grid = [[accuracies.get((a, t), []) for t in temperatures] for a in alphas]
    counts = np.asarray([[len(values) for values in row] for row in grid])
    means = np.asarray([[np.mean(values or np.nan) for values in row] for row in grid])
    tried = counts[counts > 0]
    uneven = tried.min() < tried.max()

    figure, (axes,) = style.figure(max(1.3 + 0.36 * len(alphas), 2.0))
    low, high = np.nanmin(means), np.nanmax(means)
    norm = Normalize(low, high) if high > low else Normalize(low - 0.5, low + 0.5)
    image = cells.shade(axes, means, norm, origin="lower")
    if max(counts.shape) <= cells.MOST_WITH_TEXTS:
        texts = [
            [f"{mean:.2f}" + (f" ({count:.0f})" if uneven else "") for mean, count in row]
            for row in np.stack([means, counts], axis=-1)
        ]
        cells.write(axes, image, texts)
    notes = ["one seed" if tried.max() == 1 else f"mean of {tried.max():.0f} seeds"]
    if uneven:
        notes = ["mean over the seeds, their number in brackets"]
    # The best of many test accuracies is too good to be chosen.
    if split != "test":
        notes.append("framed: the best")
        for row, column in np.argwhere(means == high):
            frame = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, zorder=3)
            # Black on white stands out on every shade.
            frame.set(linewidth=2.0, path_effects=[withStroke(linewidth=4.0, foreground="white")])
            axes.add_patch(frame)
    if counts.min() == 0:
        notes.append("hatched: not tried")
    axes.set_xticks(range(len(temperatures)), [f"{value:g}" for value in temperatures])
    axes.set_yticks(range(len(alphas)), [f"{value:g}" for value in alphas])
    axes.set_xlabel("Temperature")
    axes.set_ylabel("Alpha")
    axes.set_title(f"Accuracy on the {split} split (%)\n{'; '.join(notes)}")
    figure.colorbar(image, label="Accuracy (%)")
    return figure
