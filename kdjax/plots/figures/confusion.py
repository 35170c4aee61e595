"""Which classes a network takes for which."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from kdjax.evaluation import records
from kdjax.evaluation.records import Record
from kdjax.plots.drawing import cells, labels, style
from kdjax.plots.types import Run, Section

ORDER = 120
_MOST_NETWORKS = 4
"""Of one run."""
_MOST_NAMES = 40
_LONGEST_NAME = 18
"""Characters."""


def of_run(run: Run) -> Iterator[Section]:
    record = run.evaluation.record
    rows = [row for row in records.final(record) if row in run.rows]
    for row in rows[:_MOST_NETWORKS] if not record["multi_label"] else ():
        caption = f"Counts of images; shade is the share of the true class.{run.about}"
        figure = draw(record, row)
        yield Section(f"Confusion of {row}", f"confusion-{row}", caption, figure)


def draw(record: Record, row: str) -> Figure:
    """Confusion matrix of one network: a row for each true class, shaded by shares of that class.

    Up to 15 classes every cell has its count. Beyond, the title has the three largest confusions,
    and the shades are those of square roots, so that rare confusions show.
    """
    network = record["networks"][row]
    counts = np.asarray(network["confusion"], np.int64)
    names = labels.shorten_all(record["class_names"], _LONGEST_NAME)
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(names) <= cells.MOST_WITH_TEXTS

    height = 1.3 + max(map(labels.width, names)) / 72 + 0.3 * len(names)
    figure, (axes,) = style.figure(min(max(height, 2.7), 8.2))
    norm = Normalize(0, 100) if few else PowerNorm(0.5, 0, 100)
    image = cells.shade(axes, shares, norm)
    lost = network.get("without_prediction", 0)
    title = f"{row}: {counts.trace():,} of {counts.sum() + lost:,} images right"
    if lost:
        title += f"; {lost:,} have no prediction (NaN logits)"
    label, ticks = "Share of the true class (%)", [0, 25, 50, 75, 100]
    if few:
        cells.write(axes, image, _texts(counts))
    else:
        label, ticks = f"{label}, square-root scale", [0, 1, 5, 10, 25, 50, 75, 100]
        title = "\n".join([title, *_largest(counts, record["class_names"])])
    style.bar_below(figure, image, label, ticks=ticks).minorticks_off()
    figure.suptitle(title, x=0.01, ha="left", fontsize=style.TEXT)
    named = len(names) <= _MOST_NAMES
    axes.set_xlabel("Predicted class" if named else "Predicted class, by its number")
    axes.set_ylabel("True class" if named else "True class, by its number")
    if named:
        axes.set_yticks(range(len(names)), names)
        labels.name_columns(axes, names)
    return figure


def _texts(counts: np.ndarray) -> list[list[str]]:
    """Counts, in thousands where five digits would not fit into a cell."""
    narrow = len(counts) > 8
    return [
        [f"{n / 1000:.0f}k" if narrow and n >= 10_000 else str(n) for n in row] for row in counts
    ]


def _largest(counts: np.ndarray, names: Sequence[str]) -> list[str]:
    """The three most frequent confusions, a line each."""
    wrong = counts - np.diag(np.diag(counts))
    largest = np.argsort(-wrong, axis=None, kind="stable")[:3]
    lines = [
        f"{names[true]} taken for {names[taken]}: {wrong[true, taken]:,} of "
        f"{counts[true].sum():,} ({100 * wrong[true, taken] / counts[true].sum():.1f} %)"
        for true, taken in zip(*np.unravel_index(largest, wrong.shape), strict=True)
        if wrong[true, taken]
    ]
    return [labels.shorten(line, 95) for line in lines]
