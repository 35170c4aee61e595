"""What networks cost, and what they give for it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from kdjax.evaluation.records import Record, Row, accuracy_label, headline
from kdjax.plots.figures import bars as chart
from kdjax.plots.figures import labels, style
from kdjax.plots.figures.placing import label_points


@style.styled
def size_against_accuracy(records: Sequence[Record]) -> Figure | None:
    """Accuracy over the number of parameters, a labelled point a network.

    Args:
        records: one for each run; runs differ in colour and marker.

    Returns:
        None where no network's cost was measured.
    """
    rows = _measured(records)
    if not rows:
        return None
    figure, (axes,) = style.figure(3.8 + 0.05 * len(rows))
    points = [(row.figures["cost"]["parameters"], 100 * row.figures["accuracy"]) for row in rows]
    for row, (parameters, accuracy) in zip(rows, points, strict=True):
        how = style.look(row.run)
        axes.plot(
            parameters,
            accuracy,
            marker=how.marker,
            color=how.colour,
            markeredgecolor="black",
            markeredgewidth=0.5,
            markersize=6,
        )
    sizes, accuracies = zip(*points, strict=True)
    axes.set_xscale("log")
    _set_sizes(axes, min(sizes) / 2.5, 2.5 * max(sizes))
    room = 0.25 * (max(accuracies) - min(accuracies)) or 1.0
    axes.set_ylim(min(accuracies) - room, min(max(accuracies) + room, 100.0 + 0.2 * room))
    axes.grid()
    axes.set_xlabel("Trained parameters")
    _, height = style.size_of(axes)
    axes.set_ylabel(labels.wrap(accuracy_label(records), height, style.TEXT))
    label_points(axes, points, [row.label for row in rows])
    return figure


@style.styled
def compression(records: Sequence[Record]) -> Figure | None:
    """Megabytes of every network, with its share of its teacher's.

    Args:
        records: one for each run; runs differ in colour and hatch.

    Returns:
        None where no network's cost was measured.
    """
    rows = _measured(records)
    if not rows:
        return None

    def text(cost: Mapping[str, Any]) -> str:
        share = cost["of_teacher"]
        return labels.digits(cost["megabytes"]) + (
            f" ({labels.digits(100 * share)} % of the teacher)" if share is not None else ""
        )

    found = [_bar(row, row.figures["cost"]["megabytes"], text(row.figures["cost"])) for row in rows]
    figure, (axes,) = style.figure(chart.height(found))
    chart.draw(axes, found, label="Size of the weights (MB)")
    return figure


@style.styled
def throughput(records: Sequence[Record]) -> Figure | None:
    """Images per second, and median latency with a whisker to the 90th percentile.

    The axis names the device and the size of a batch; where they differ, every label does.

    Args:
        records: one for each run; runs differ in colour and hatch.

    Returns:
        None where no network's speed was measured.
    """
    rows = [row for row in _measured(records) if row.figures["cost"]["throughput"] is not None]
    if not rows:
        return None
    settings = [_setting(row) for row in rows]
    shared = len(set(settings)) == 1
    if not shared:
        rows = [
            row._replace(label=f"{row.label}, {setting}")
            for row, setting in zip(rows, settings, strict=True)
        ]
    costs = [row.figures["cost"] for row in rows]
    speeds = [
        _bar(row, cost["throughput"], f"{cost['throughput']:,.0f}")
        for row, cost in zip(rows, costs, strict=True)
    ]
    latencies = [
        _bar(
            row,
            cost["latency_median"],
            f"{labels.digits(cost['latency_median'])} ({labels.digits(cost['latency_p90'])})",
            (cost["latency_median"], cost["latency_p90"]),
        )
        for row, cost in zip(rows, costs, strict=True)
    ]
    figure, (fast, slow) = style.figure(chart.height(speeds) + 0.3, 1, 2, sharey=True)
    chart.draw(fast, speeds, label="Images per second" + (f"\n{settings[0]}" if shared else ""))
    chart.draw(slow, latencies, label="Latency (ms)\nmedian (90th percentile)")
    return figure


def _measured(records: Sequence[Record]) -> list[Row]:
    return [row for row in headline(records) if row.figures["cost"]]


def _bar(
    row: Row, value: float, text: str, whisker: tuple[float, float] | None = None
) -> chart.Bar:
    return chart.Bar(row.label, value, text, group=row.run, look=row.run, whisker=whisker)


def _setting(row: Row) -> str:
    return f"batches of {row.figures['cost']['throughput_batch']} on {row.record['device']}"


def _set_sizes(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis with round numbers: every power of ten, or 1, 2 and 5 of each."""
    axes.set_xlim(low, high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if high / low > 1000 else (1, 2, 5)
    ticks = [step * 10.0**power for power in powers for step in steps]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_count))


def _count(value: float, _: int | None) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
