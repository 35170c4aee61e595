"""How accurate every network is."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, headline
from kdjax.plots.drawing import bars

ORDER = 10
HEADING = "Accuracy"
CAPTION = "Every network as its run left it; of a sweep every setting."


def draw_records(records: Sequence[Record]) -> Figure | None:
    """A point for the accuracy of every network as its run left it, in the records' order.

    Runs differ in colour and marker.
    """
    drawn = [bars.accuracy_bar(row, group=row.run, look=row.run) for row in headline(records)]
    return bars.draw_accuracies(drawn, records)
