"""How fast networks predict."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, headline
from kdjax.plots.drawing import bars
from kdjax.plots.drawing.bars import Bar
from kdjax.plots.drawing.labels import digits

ORDER = 40
HEADING = "Speed"
CAPTION = "Compiled predictions, each waited for; networks take turns."


def draw_records(records: Sequence[Record]) -> Figure | None:
    """Images per second, and median latency with a line to the 90th percentile.

    The axis names the device and the size of a batch; where they differ, every label does. Runs
    differ in colour and hatch.
    """
    rows = [
        (row, cost, f"batches of {cost['throughput_batch']} on {row.record['device']}")
        for row in headline(records)
        if (cost := row.measures["cost"]) and cost["throughput"] is not None
    ]
    conditions = {condition for *_, condition in rows}
    speeds, latencies = [], []
    for row, cost, condition in rows:
        label = row.label if len(conditions) == 1 else f"{row.label}, {condition}"
        speed, median, slow = cost["throughput"], cost["latency_median"], cost["latency_p90"]
        speeds.append(Bar(label, speed, f"{speed:,.0f}", row.run, row.run))
        text = f"{digits(median)} ({digits(slow)})"
        latencies.append(Bar(label, median, text, row.run, row.run, (median, slow)))
    shared = f"\n{conditions.pop()}" if len(conditions) == 1 else ""
    latency = "Latency (ms)\nmedian (90th percentile)"
    return bars.draw({f"Images per second{shared}": speeds, latency: latencies})
