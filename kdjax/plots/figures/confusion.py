"""Which classes a network takes for which."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure

from kdjax.evaluation.records import Record
from kdjax.plots.figures import cells, labels, style

_MOST_NAMES = 40
_LONGEST_NAME = 18
"""Characters."""


@style.styled
def matrix(record: Record, row: str) -> Figure:
    """Confusion matrix of one network: a row a true class, shaded by its share of that class.

    Up to 15 classes every cell has its count. Beyond, the title has the three largest confusions,
    and the shades are those of square roots, so that rare confusions show.

    Args:
        record: one run, not multi-label.
        row: the network's, of the record's `networks`.

    Raises:
        ValueError: the record has no such row, or no confusion matrix for it.
    """
    if not record["networks"].get(row, {}).get("confusion"):
        raise ValueError(f"no confusion matrix of {row!r} in {record['workdir']}")
    counts = np.asarray(record["networks"][row]["confusion"], np.int64)
    names = labels.shorten_all(record["class_names"], _LONGEST_NAME)
    support = counts.sum(axis=1, keepdims=True)
    shares = 100 * counts / np.maximum(support, 1)
    few = len(names) <= cells.MOST_WITH_VALUES

    height = 1.3 + max(labels.width(name) for name in names) / 72 + 0.3 * len(names)
    figure, (axes,) = style.figure(min(max(height, 2.7), 8.2))
    image = cells.shade(
        axes,
        shares,
        _texts(counts) if few else None,
        norm=Normalize(0, 100) if few else PowerNorm(0.5, 0, 100),
    )
    lost = record["networks"][row].get("without_prediction", 0)
    title = f"{row}: {counts.trace():,} of {counts.sum() + lost:,} images right"
    if lost:
        title += f"; {lost:,} have no prediction (NaN logits)"
    label = "Share of the true class (%)"
    if few:
        figure.colorbar(image, label=label, fraction=0.05)
    else:
        figure.colorbar(
            image,
            label=f"{label}, square-root scale",
            ticks=[0, 1, 5, 10, 25, 50, 75, 100],
            location="bottom",
            shrink=0.6,
            aspect=35,
        ).minorticks_off()
        title = "\n".join([title, *_largest(counts, record["class_names"])])
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    figure.suptitle(title, x=0.01, ha="left", fontsize=style.TEXT)
    if len(names) <= _MOST_NAMES:
        axes.set_yticks(range(len(names)), names)
        labels.name_columns(axes, names)
    else:
        axes.set_xlabel("Predicted class, by its number")
        axes.set_ylabel("True class, by its number")
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
    order = np.argsort(-wrong, axis=None, kind="stable")[:3]
    pairs = [divmod(int(place), len(wrong)) for place in order]
    lines = [
        f"{names[true]} taken for {names[taken]}: {wrong[true, taken]:,} of "
        f"{counts[true].sum():,} ({100 * wrong[true, taken] / counts[true].sum():.1f} %)"
        for true, taken in pairs
        if wrong[true, taken]
    ]
    return [labels.shorten(line, 95) for line in lines]
