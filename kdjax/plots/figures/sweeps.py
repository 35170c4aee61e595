"""What a sweep found: accuracy over its axes, and how every setting got there."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from kdjax.plots.figures import labels, style

Setting = Mapping[str, Any]
"""`{"network", "axes": {axis: value}, "seeds": [...], "validation": [...], "test": [...]}`, with
accuracies in percent, one for each seed; `validation` is empty where nothing was held out."""

_LOGARITHMIC = 8.0
"""Positive values whose largest is more times the smallest stand on a logarithmic axis."""
_LONGEST = 34
"""Characters of a name in the legend of courses."""


@style.styled
def over_axis(
    settings: Sequence[Setting], baselines: Sequence[Setting] = (), *, split: str
) -> Figure | None:
    """Lines of accuracy against one axis of a sweep, a line for each value of the other one.

    Points are means over seeds, whiskers their standard deviation; small dots are single seeds.

    Args:
        settings: of one network, over one axis or two.
        baselines: of the network that trained alone: one that no axis reaches is a dashed line.
        split: "validation" or "test", whose accuracies are drawn.

    Returns:
        The axis with more values runs to the right. None for other numbers of axes, and where no
        axis has two values.
    """
    values = {axis: sorted({one["axes"][axis] for one in settings}) for axis in _axes_of(settings)}
    if not 1 <= len(values) <= 2 or max(map(len, values.values())) < 2:
        return None
    across = max(values, key=lambda axis: len(values[axis]))
    other = next((axis for axis in values if axis != across), None)
    figure, (axes,) = style.figure(3.2)
    for place, level in enumerate(values[other] if other else [None]):
        mine = sorted(
            (one for one in settings if other is None or one["axes"][other] == level),
            key=lambda one: one["axes"][across],
        )
        name = f"{other} {level:g}" if other else str(settings[0]["network"])
        _draw_line(
            axes,
            [one["axes"][across] for one in mine],
            [one[split] for one in mine],
            style.look(place),
            name,
        )
    for alone in baselines:
        if not alone["axes"] and alone[split]:
            mean, spread = _mean_and_deviation(alone[split])
            axes.axhline(mean, color="0.35", linestyle="--", linewidth=1.0, label="baseline")
            axes.axhspan(mean - spread, mean + spread, color="0.9", zorder=0)
    _set_values(axes, values[across])
    axes.set_xlabel(across)
    axes.set_ylabel(f"Accuracy on the {split} split (%)")
    axes.grid()
    counts = sorted({len(one[split]) for one in settings})
    what = "one seed"
    if counts != [1]:
        what = (
            f"means over {' or '.join(map(str, counts))} seeds; whiskers: their standard "
            "deviation; dots: single seeds"
        )
    title = f"{settings[0]['network']}, {what}"
    axes.set_title(labels.wrap(title, 72 * style.WIDTH - 60, style.TEXT))
    if other or len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    return figure


@style.styled
def courses(
    lines: Mapping[str, Sequence[tuple[Sequence[float], Sequence[float]]]], *, label: str
) -> Figure | None:
    """Accuracy of every setting over the optimiser's steps: the mean of its seeds and their range.

    Args:
        lines: by setting, for each seed its steps and its accuracies in percent.
        label: of the vertical axis.

    Returns:
        Settings in their order; None without any.
    """
    if not lines:
        return None
    figure, (axes,) = style.figure(max(3.0, 0.5 + 0.155 * len(lines)))
    names = labels.shorten_all(list(lines), _LONGEST)
    for place, (name, seeds) in enumerate(zip(names, lines.values(), strict=True)):
        how = style.look(place)
        # Seeds that stopped early have fewer points.
        count = min(len(steps) for steps, _ in seeds)
        steps = np.asarray(seeds[0][0][:count], np.float64)
        values = np.asarray([accuracies[:count] for _, accuracies in seeds], np.float64)
        axes.plot(
            steps,
            values.mean(axis=0),
            color=how.colour,
            linestyle=how.line,
            marker=how.marker,
            markersize=3.5,
            linewidth=1.2,
            markevery=0.1 if count > 8 else None,
            label=name,
        )
        axes.fill_between(
            steps, values.min(axis=0), values.max(axis=0), color=how.colour, alpha=0.12, linewidth=0
        )
    axes.grid()
    axes.set_xlabel("Optimiser step")
    _, height = style.size_of(axes)
    axes.set_ylabel(labels.wrap(label, height, style.TEXT))
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, labelspacing=0.2)
    return figure


def _axes_of(settings: Sequence[Setting]) -> list[str]:
    return list(dict.fromkeys(axis for one in settings for axis in one["axes"]))


def _draw_line(
    axes: Axes,
    places: Sequence[float],
    accuracies: Sequence[Sequence[float]],
    how: style.Look,
    name: str,
) -> None:
    measured = [_mean_and_deviation(values) for values in accuracies]
    axes.errorbar(
        places,
        [mean for mean, _ in measured],
        yerr=[spread for _, spread in measured],
        color=how.colour,
        linestyle=how.line,
        marker=how.marker,
        capsize=2.5,
        linewidth=1.2,
        label=name,
    )
    for place, values in zip(places, accuracies, strict=True):
        if len(values) > 1:
            axes.plot(
                [place] * len(values),
                values,
                linestyle="",
                marker=".",
                markersize=3,
                color=how.colour,
                alpha=0.6,
            )


def _mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return float(np.mean(values)), spread


def _set_values(axes: Axes, values: Sequence[float]) -> None:
    """Ticks at the axis's own values."""
    if values[0] > 0 and values[-1] / values[0] >= _LOGARITHMIC:
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(values)))
    axes.xaxis.set_minor_locator(NullLocator())
    names = [f"{value:g}" for value in values]
    axes.set_xticks(list(values), names)
    labels.thin_ticks(axes)
