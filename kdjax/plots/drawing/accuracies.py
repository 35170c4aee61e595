"""Bars of accuracies, with lines that show how far they are certain."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from scipy import stats

from kdjax.evaluation.records import Record, Row, accuracy_label
from kdjax.plots.drawing import bars
from kdjax.plots.drawing.bars import Bar


def bar(row: Row, *, group: int, look: int) -> Bar:
    """The bar of one network's accuracy, in percent.

    Its line shows the standard deviation over seeds, or Wilson's 95 % interval for the share of the
    images that one network has right; it has none for several attributes or for a single seed.
    """
    accuracy, deviation = row.measures["accuracy"], row.measures.get("deviation")
    whisker: tuple[float, ...] = ()
    if deviation is not None:
        whisker = 100 * (accuracy - deviation), 100 * (accuracy + deviation)
    elif not row.record["multi_label"] and not row.measures.get("seeds"):
        count = row.record["examples"]
        interval = stats.binomtest(round(accuracy * count), count).proportion_ci(method="wilson")
        whisker = 100 * float(interval.low), 100 * float(interval.high)
    return Bar(row.label, 100 * accuracy, f"{100 * accuracy:.2f}", group, look, whisker)


def draw(accuracies: Sequence[Bar], records: Sequence[Record]) -> Figure | None:
    """A figure of bars, whose axis says what the records share and what the lines mean."""
    label = accuracy_label(records)
    networks = [network for record in records for network in record["networks"].values()]
    if any(network.get("deviation") is not None for network in networks):
        label += "\nmeans over seeds, lines: the standard deviation"
    elif any(bar.whisker for bar in accuracies):
        label += "\nlines: 95 % intervals over the images"
    return bars.draw({label: accuracies}, cut=label)
