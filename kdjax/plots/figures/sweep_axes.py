"""The accuracy of a sweep over its axes."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from kdjax.evaluation import statistics, sweep_settings
from kdjax.evaluation.sweep_settings import Setting
from kdjax.plots.drawing import labels, style
from kdjax.plots.types import Run, Section

ORDER = 70
_LOGARITHMIC = 8.0
"""Positive values whose largest is more times the smallest stand on a logarithmic axis."""


def of_run(run: Run) -> Iterator[Section]:
    for network, settings in sweep_settings.by_network(run.settings).items():
        figure = draw(settings, run.settings, split=sweep_settings.split_of(settings))
        heading = f"Accuracy over the axes: {network}"
        caption = "Means over seeds, from result.json."
        yield Section(heading, f"axes-{network}", caption, figure)


def draw(settings: Sequence[Setting], others: Sequence[Setting], *, split: str) -> Figure | None:
    """Lines of accuracy against one axis of a sweep, a line for each value of the other axis.

    Points are means over seeds, whiskers their standard deviation; small dots are single seeds. The
    axis with more values runs to the right. Nothing is drawn of other numbers of axes, and where no
    axis has two values.

    Args:
        settings: of one network, over one axis or two.
        others: all settings of the sweep; of these, a baseline that no axis reaches is a dashed
            line.
        split: "validation" or "test", whose accuracies are drawn.
    """
    names = dict.fromkeys(axis for setting in settings for axis in setting["axes"])
    values = {axis: sorted({setting["axes"][axis] for setting in settings}) for axis in names}
    if not 1 <= len(values) <= 2 or max(map(len, values.values())) < 2:
        return None
    across = max(values, key=lambda axis: len(values[axis]))
    other = next((axis for axis in values if axis != across), None)
    network = settings[0]["network"]
    figure, (axes,) = style.figure(3.2)
    for place, level in enumerate(values[other] if other else [None]):
        look = style.look(place)
        line = sorted(
            (setting["axes"][across], setting[split])
            for setting in settings
            if other is None or setting["axes"][other] == level
        )
        axes.errorbar(
            [value for value, _ in line],
            [np.mean(accuracies) for _, accuracies in line],
            yerr=[statistics.deviation(accuracies) or 0.0 for _, accuracies in line],
            label=f"{other} {level:g}" if other else network,
            capsize=2.5,
            linewidth=1.2,
            **look.marked_line(),
        )
        dots = [(value, accuracy) for value, accuracies in line for accuracy in accuracies]
        axes.plot(*zip(*dots, strict=True), ".", markersize=3, color=look.colour, alpha=0.6)
    for baseline in others:
        if baseline["network"] == "baseline" and not baseline["axes"] and baseline[split]:
            mean = float(np.mean(baseline[split]))
            spread = statistics.deviation(baseline[split]) or 0.0
            axes.axhline(mean, color="0.35", linestyle="--", linewidth=1.0, label="baseline")
            axes.axhspan(mean - spread, mean + spread, color="0.9", zorder=0)
    first, *_, last = values[across]
    if first > 0 and last / first >= _LOGARITHMIC:
        axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values[across], [f"{value:g}" for value in values[across]])
    axes.set_xlabel(across)
    axes.set_ylabel(f"Accuracy on the {split} split (%)")
    axes.grid()
    counts = sorted({len(setting[split]) for setting in settings})
    title = f"{network}, one seed"
    if counts != [1]:
        title = f"{network}, means over {' or '.join(map(str, counts))} seeds; "
        title += "whiskers: their standard deviation; dots: single seeds"
    axes.set_title(labels.wrap(title, 72 * style.WIDTH - 60, style.TEXT))
    if other or len(axes.get_legend_handles_labels()[1]) > 1:
        style.legend_beside(axes)
    labels.thin_ticks(axes)
    return figure
