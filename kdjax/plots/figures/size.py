"""What accuracy a network has for its size."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from kdjax.evaluation.records import Record, accuracy_label, headline
from kdjax.plots.drawing import labels, style
from kdjax.plots.drawing.points import label_points
from kdjax.plots.types import Run, Section

ORDER = 20


def of_runs(runs: Sequence[Run]) -> Iterator[Section]:
    caption = "Trained values of each network; the scale of sizes is logarithmic."
    yield Section("Size against accuracy", "size", caption, draw([run.record for run in runs]))


@style.styled()
def draw(records: Sequence[Record]) -> Figure | None:
    """Accuracy over the number of parameters, a labelled point for each network of known cost.

    Runs differ in colour and marker.
    """
    rows = [row for row in headline(records) if row.measures["cost"]]
    if not rows:
        return None
    figure, (axes,) = style.figure(3.8 + 0.05 * len(rows))
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
    label_points(axes, points, [row.label for row in rows])
    return figure
