"""How the accuracy of every setting of a sweep changes while it is trained."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from kdjax.evaluation import sweep_settings
from kdjax.plots.drawing import labels, log_lines, style
from kdjax.plots.drawing.log_lines import Line, Rows
from kdjax.plots.types import Run, Section
from kdjax.runs import metrics_log

ORDER = 75
_LONGEST = 34
"""Characters of a name in the legend."""


def of_run(run: Run) -> Iterator[Section]:
    if run.settings:
        lines, label = by_setting(metrics_log.logged(run.directory))
        caption = (
            "From metrics.jsonl: means over seeds, shaded from the lowest to the highest seed."
        )
        figure = draw(lines, label=label)
        yield Section("Training of every setting", "courses", caption, figure)


def by_setting(rows: Rows) -> tuple[dict[str, list[Line]], str]:
    """The accuracies in percent of every setting of a sweep, a line for each seed.

    Returns:
        The lines and a label: validation accuracies, or without them training accuracies.
    """
    validation, training = (
        log_lines.read(rows, f"{split}/([^/]*@[^/]*)/accuracy", 100) for split in ("val", "train")
    )
    settings: dict[str, list[Line]] = {}
    for name, line in (validation or training).items():
        settings.setdefault(sweep_settings.label(name), []).append(line)
    if validation:
        return settings, "Accuracy on the validation split (%)"
    return settings, "Training accuracy (%)\n(means between points)"


def draw(lines: Mapping[str, Sequence[Line]], *, label: str) -> Figure | None:
    """Accuracy of every setting over the optimiser's steps: the mean of its seeds and their range.

    `lines` has the accuracies in percent by setting, a line for each seed.
    """
    if not lines:
        return None
    figure, (axes,) = style.figure(max(3.0, 0.5 + 0.155 * len(lines)))
    names = labels.shorten_all(list(lines), _LONGEST)
    for place, (name, seeds) in enumerate(zip(names, lines.values(), strict=True)):
        look = style.look(place)
        # Seeds that stopped early have fewer points.
        count = min(len(steps) for steps, _ in seeds)
        steps = np.asarray(seeds[0][0][:count], np.float64)
        values = np.asarray([accuracies[:count] for _, accuracies in seeds], np.float64)
        (line,) = axes.plot(steps, values.mean(axis=0), label=name, **look.marked_line())
        line.set(markersize=3.5, linewidth=1.2, markevery=0.1 if count > 8 else None)
        low, high = values.min(axis=0), values.max(axis=0)
        axes.fill_between(steps, low, high, color=look.colour, alpha=0.12, linewidth=0)
    axes.grid()
    axes.set_xlabel("Optimiser step")
    labels.name_vertical(axes, label)
    style.legend_beside(axes)
    return figure
