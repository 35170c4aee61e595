"""How large networks are beside their teacher."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, headline
from kdjax.plots.drawing import bars
from kdjax.plots.drawing.bars import Bar
from kdjax.plots.drawing.labels import digits

ORDER = 30
HEADING = "Compression"
CAPTION = "Bytes of all values, BatchNorm's statistics included, and their share of the teacher's."


def draw_records(records: Sequence[Record]) -> Figure | None:
    """Megabytes of every network of known cost; runs differ in colour and hatch."""
    sizes = []
    for row in headline(records):
        if cost := row.measures["cost"]:
            text, share = digits(cost["megabytes"]), cost["of_teacher"]
            if share is not None:
                text += f" ({digits(100 * share)} % of the teacher)"
            sizes.append(Bar(row.label, cost["megabytes"], text, group=row.run, look=row.run))
    return bars.draw({"Size of the weights (MB)": sizes})
