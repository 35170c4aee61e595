"""How accurate every network is, and what a later stage changed."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from kdjax.charts import bars as chart
from kdjax.charts import labels, style
from kdjax.charts.records import Record, accuracy_label, headline, histories


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
            )
            for row in rows
        ],
        accuracy_label(records),
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
    for group, rows in enumerate(histories(record)):
        values = [100 * row.figures["accuracy"] for row in rows]
        for place, row in enumerate(rows):
            text = f"{values[place]:.2f}"
            if place:
                text += f" ({labels.change(values[place] - values[place - 1])} points)"
            found.append(
                chart.Bar(row.label, values[place], text, group=group, look=len(rows) - 1 - place)
            )
    return _draw(found, accuracy_label([record])) if found else None


def _draw(found: Sequence[chart.Bar], label: str) -> Figure:
    figure, (axes,) = style.figure(chart.height(found))
    chart.draw(axes, found, label=label, cut=True, most=100.0)
    return figure
