"""How large networks are beside their teacher."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, headline
from kdjax.plots.drawing import bars, style
from kdjax.plots.drawing.bars import Bar
from kdjax.plots.drawing.labels import digits
from kdjax.plots.types import Run, Section

ORDER = 30


def of_runs(runs: Sequence[Run]) -> Iterator[Section]:
    caption = (
        "Bytes of all values, BatchNorm's statistics included, and their share of the teacher's."
    )
    yield Section("Compression", "compression", caption, draw([run.record for run in runs]))


@style.styled()
def draw(records: Sequence[Record]) -> Figure | None:
    """Megabytes of every network of known cost; runs differ in colour and hatch."""
    sizes = []
    for row in headline(records):
        if cost := row.measures["cost"]:
            text, share = digits(cost["megabytes"]), cost["of_teacher"]
            if share is not None:
                text += f" ({digits(100 * share)} % of the teacher)"
            sizes.append(Bar(row.label, cost["megabytes"], text, group=row.run, look=row.run))
    if not sizes:
        return None
    figure, (axes,) = style.figure(bars.height(sizes))
    bars.draw(axes, sizes, label="Size of the weights (MB)")
    return figure
