"""The accuracy of students over alpha and temperature."""

from collections.abc import Iterator, Mapping, Sequence

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


def of_runs(runs: Sequence[Run]) -> Iterator[Section]:
    for place, (name, (split, trials)) in enumerate(trials_of(runs).items()):
        heading = f"Alpha and temperature: {name}"
        caption = "Each cell is a run, or the mean of several seeds."
        yield Section(heading, f"grid-{place}", caption, draw(trials, split=split))


def trials_of(runs: Sequence[Run]) -> dict[str, tuple[str, list[dict[str, float]]]]:
    """The students that differ in both alpha and temperature, as runs or as members of a sweep.

    Returns:
        By method, data set and other axes, the split and its trials as `draw` takes them. The
        split is validation where every student has it.
    """
    groups: dict[str, list[tuple[dict[str, float], Setting]]] = {}
    for run in runs:
        result = workdir.load_result(run.directory)
        for setting in sweep_settings.settings(result) if result else ():
            if setting["network"] == "student":
                cell = {axis: setting["axes"].get(axis, run.record[axis]) for axis in _AXES}
                others = sorted(setting["axes"].keys() - cell.keys())
                # A formula has no place on an axis.
                if any(isinstance(value, str) for value in cell.values()):
                    continue
                text = sweep_settings.value_text
                words = "".join(f", {axis} {text(setting['axes'][axis])}" for axis in others)
                name = f"{run.record['method']} on {run.record['dataset']}{words}"
                groups.setdefault(name, []).append((cell, setting))
    trials = {}
    for name, students in groups.items():
        if all(len({cell[axis] for cell, _ in students}) > 1 for axis in _AXES):
            split = sweep_settings.split_of([setting for _, setting in students])
            accuracies = [(cell, value) for cell, one in students for value in one[split]]
            trials[name] = split, [cell | {"accuracy": value / 100} for cell, value in accuracies]
    return trials


def draw(trials: Sequence[Mapping[str, float]], *, split: str) -> Figure | None:
    """Heat map of accuracy over alpha and temperature; the best cell on validation is framed.

    Temperature ascends to the right and alpha upwards, both evenly spaced whatever their values; a
    pair that was not tried is hatched.

    Args:
        trials: each with `alpha`, `temperature` and `accuracy` in [0, 1]. Trials of the same alpha
            and temperature, of several seeds, are averaged, and their number is stated.
        split: on which the accuracies were measured.
    """
    if not trials:
        return None
    by_cell: dict[tuple[float, float], list[float]] = {}
    for trial in trials:
        values = by_cell.setdefault((trial["alpha"], trial["temperature"]), [])
        values.append(100 * trial["accuracy"])
    alphas, temperatures = (sorted(set(values)) for values in zip(*by_cell, strict=True))
    accuracies = [[by_cell.get((a, t), []) for t in temperatures] for a in alphas]
    counts = np.asarray([[len(values) for values in row] for row in accuracies])
    means = np.asarray([[np.mean(values or np.nan) for values in row] for row in accuracies])
    tried = counts[counts > 0]
    uneven = tried.min() < tried.max()

    figure, (axes,) = style.figure(max(1.3 + 0.36 * len(alphas), 2.0))
    texts = None
    if max(counts.shape) <= cells.MOST_WITH_TEXTS:
        texts = [
            [f"{mean:.2f}" + (f" ({count:.0f})" if uneven else "") for mean, count in row]
            for row in np.stack([means, counts], axis=-1)
        ]
    low, high = np.nanmin(means), np.nanmax(means)
    norm = Normalize(low, high) if high > low else Normalize(low - 0.5, low + 0.5)
    image = cells.shade(axes, means, texts, norm=norm, origin="lower")
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
