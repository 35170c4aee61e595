"""How accurate every network is, and what a later stage changed."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from scipy import stats

from kdjax.evaluation.records import Record, Row, accuracy_label, headline, histories
from kdjax.plots.figures import bars as chart
from kdjax.plots.figures import labels, style


@style.styled
def bars(records: Sequence[Record]) -> Figure | None:
    """Accuracy of every network as its run left it; runs differ in colour and hatch.

    Args:
        records: one for each run.

    Returns:
        A bar a network, in the records' order; None where no record has a network.
    """
    rows = headline(records)
    if not rows:
        return None
    return _draw(
        [
            chart.Bar(
                row.label,
                100 * row.figures["accuracy"],
                f"{100 * row.figures['accuracy']:.2f}",
                group=row.run,
                look=row.run,
                whisker=_whisker(row),
            )
            for row in rows
        ],
        rows,
        records,
    )


@style.styled
def before_and_after(record: Record) -> Figure | None:
    """Accuracy that each stage left of the networks that several stages train.

    Args:
        record: one run.

    Returns:
        A group of bars a network, the first stage's first; those of later stages print the
        difference from the stage before. None where no network was trained by two stages.
    """
    found: list[chart.Bar] = []
    groups = histories(record)
    for group, rows in enumerate(groups):
        values = [100 * row.figures["accuracy"] for row in rows]
        for place, row in enumerate(rows):
            text = f"{values[place]:.2f}"
            if place:
                text += f" ({labels.change(values[place] - values[place - 1])} points)"
            look = len(rows) - 1 - place
            found.append(
                chart.Bar(row.label, values[place], text, group, look, whisker=_whisker(row))
            )
    every = [row for rows in groups for row in rows]
    return _draw(found, every, [record]) if found else None


def _whisker(row: Row) -> tuple[float, float] | None:
    """Of several seeds the standard deviation; of one network that answers right or wrong Wilson's
    95 % interval for a share of the images; else None."""
    accuracy, deviation = row.figures["accuracy"], row.figures.get("deviation")
    if deviation is not None:
        return 100 * (accuracy - deviation), 100 * (accuracy + deviation)
    if row.record["multi_label"] or row.figures.get("seeds"):
        return None
    count = row.record["examples"]
    found = stats.binomtest(round(accuracy * count), count).proportion_ci(method="wilson")
    return 100 * float(found.low), 100 * float(found.high)


def _draw(found: Sequence[chart.Bar], rows: Sequence[Row], records: Sequence[Record]) -> Figure:
    label = accuracy_label(records)
    if any(row.figures.get("deviation") is not None for row in rows):
        label += "\nmeans over seeds, lines: the standard deviation"
    elif any(bar.whisker for bar in found):
        label += "\nlines: 95 % intervals over the images"
    figure, (axes,) = style.figure(chart.height(found))
    chart.draw(axes, found, label=label, cut=True, most=100.0)
    return figure
