"""How fast networks predict."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, headline
from kdjax.plots.drawing import bars, style
from kdjax.plots.drawing.bars import Bar
from kdjax.plots.drawing.labels import digits
from kdjax.plots.types import Run, Section

ORDER = 40


def of_runs(runs: Sequence[Run]) -> Iterator[Section]:
    caption = "Compiled predictions, each waited for; networks take turns."
    yield Section("Speed", "speed", caption, draw([run.record for run in runs]))


@style.styled()
def draw(records: Sequence[Record]) -> Figure | None:
    """Images per second, and median latency with a line to the 90th percentile.

    The axis names the device and the size of a batch; where they differ, every label does. Runs
    differ in colour and hatch.
    """
    rows = [
        (row, cost, f"batches of {cost['throughput_batch']} on {row.record['device']}")
        for row in headline(records)
        if (cost := row.measures["cost"]) and cost["throughput"] is not None
    ]
    if not rows:
        return None
    conditions = {condition for *_, condition in rows}
    speeds, latencies = [], []
    for row, cost, condition in rows:
        label = row.label if len(conditions) == 1 else f"{row.label}, {condition}"
        speed, median, slow = cost["throughput"], cost["latency_median"], cost["latency_p90"]
        speeds.append(Bar(label, speed, f"{speed:,.0f}", row.run, row.run))
        text = f"{digits(median)} ({digits(slow)})"
        latencies.append(Bar(label, median, text, row.run, row.run, (median, slow)))
    shared = f"\n{conditions.pop()}" if len(conditions) == 1 else ""
    figure, (left, right) = style.figure(bars.height(speeds) + 0.3, 1, 2, sharey=True)
    bars.draw(left, speeds, label=f"Images per second{shared}")
    bars.draw(right, latencies, label="Latency (ms)\nmedian (90th percentile)")
    return figure
