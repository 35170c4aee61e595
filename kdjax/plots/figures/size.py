"""What accuracy a network has for its size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator
from scipy import optimize

from kdjax.evaluation.records import Record, accuracy_label, headline
from kdjax.plots.drawing import labels, style

ORDER = 20
HEADING = "Size against accuracy"
CAPTION = "Trained values of each network; the scale of sizes is logarithmic."
_LONGEST = 40
"""Characters of a name."""
_LINE = 1.3 * style.SMALL
"""Points from one name to the next."""


def draw_records(records: Sequence[Record]) -> Figure | None:
    """Accuracy over the number of parameters, a named point for each network of known cost.

    Runs differ in colour and marker.
    """
    rows = [row for row in headline(records) if row.measures["cost"]]
    if not rows:
        return None
    figure, (axes,) = style.figure(max(3.8, 1.0 + _LINE / 72 * len(rows)))
    points = [(row.measures["cost"]["parameters"], 100 * row.measures["accuracy"]) for row in rows]
    for row, point in zip(rows, points, strict=True):
        axes.plot(*point, **style.look(row.run).dot())
    sizes, accuracies = zip(*points, strict=True)
    low, high = min(sizes) / 2.5, 2.5 * max(sizes)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high > 1000 * low else (1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    room = 0.25 * (max(accuracies) - min(accuracies)) or 1.0
    axes.set_ylim(min(accuracies) - room, min(max(accuracies) + room, 100.0 + 0.2 * room))
    axes.grid()
    axes.set_xlabel("Trained parameters")
    labels.name_vertical(axes, accuracy_label(records))
    _name_points(axes, points, labels.shorten_all([row.label for row in rows], _LONGEST))
    return figure


def _name_points(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Writes names right of the panel, with a line from each point: as high as the point, or as
    near to that as the other names allow. Limits and scales of the axes must be final."""
    order = sorted(range(len(points)), key=lambda place: (points[place][1], points[place][0]))
    _, height = style.size_of(axes)
    shares = axes.transAxes.inverted().transform(axes.transData.transform(points))[order, 1]
    below = _LINE * np.arange(len(order))
    places = optimize.isotonic_regression(height * shares - below).x
    places = np.clip(places, 0, height - below[-1]) + below
    line = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkB": 4, "relpos": (0, 0.5)}
    for index, place in zip(order, places, strict=True):
        at: dict[str, Any] = {"xytext": (1.04, place / height), "textcoords": "axes fraction"}
        name = axes.annotate(names[index], points[index], **at, arrowprops=line)
        name.set(verticalalignment="center", fontsize=style.SMALL, zorder=1.5)
