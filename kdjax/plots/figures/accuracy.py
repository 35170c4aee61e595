"""How accurate every network is."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, headline
from kdjax.plots.drawing import accuracies, style
from kdjax.plots.types import Run, Section

ORDER = 10


def of_runs(runs: Sequence[Run]) -> Iterator[Section]:
    caption = "Every network as its run left it; of a sweep every setting."
    yield Section("Accuracy", "accuracy", caption, draw([run.record for run in runs]))


@style.styled()
def draw(records: Sequence[Record]) -> Figure | None:
    """A bar for the accuracy of every network as its run left it, in the records' order.

    Runs differ in colour and hatch.
    """
    bars = [accuracies.bar(row, group=row.run, look=row.run) for row in headline(records)]
    return accuracies.draw(bars, records) if bars else None
