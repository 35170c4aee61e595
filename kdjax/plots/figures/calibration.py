"""Whether networks are as often right as they are confident."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdjax.evaluation.records import Record
from kdjax.plots.figures import labels, style

_COLUMNS = 3


@style.styled
def reliability(record: Record) -> Figure | None:
    """Reliability diagrams, one small panel a network, with what earlier stages left.

    Each shows accuracy against mean confidence over bins of equal width, the diagonal on which a
    calibrated network lies, the share of the images in each bin, and the expected calibration
    error.

    Args:
        record: one run.

    Returns:
        None where no network's reliability was measured.
    """
    rows = {
        name: figures["reliability"]
        for name, figures in record["networks"].items()
        if figures["reliability"]
    }
    if not rows:
        return None
    columns = min(_COLUMNS, len(rows))
    lines = math.ceil(len(rows) / columns)
    figure, axes = style.figure(0.9 + 2.05 * lines, lines, columns, sharex=True, sharey=True)
    for panel, (name, measured) in zip(axes, rows.items(), strict=False):
        _draw(panel, measured)
        error = f"calibration error {100 * measured['error']:.1f} %"
        panel.set_title(f"{labels.wrap(name, 125, style.SMALL)}\n{error}", fontsize=style.SMALL)
    for panel in axes[len(rows) :]:
        panel.remove()
    # The lowest panel of every column has the numbers of the columns' shared axis.
    for panel in axes[max(0, len(rows) - columns) : len(rows)]:
        panel.tick_params(labelbottom=True)
    figure.supxlabel("Confidence, the probability of the prediction (%)", fontsize=style.TEXT)
    figure.supylabel("Accuracy; share of the images (%)", fontsize=style.TEXT)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def _draw(axes: Axes, measured: Mapping[str, Any]) -> None:
    counts = np.asarray(measured["count"], np.float64)
    edges = np.linspace(0, 100, len(counts) + 1)
    axes.bar(
        edges[:-1],
        100 * counts / max(counts.sum(), 1),
        width=np.diff(edges),
        align="edge",
        color="0.85",
        edgecolor="0.6",
        linewidth=0.5,
        label="share of the images",
    )
    axes.plot([0, 100], [0, 100], color="0.35", linestyle="--", linewidth=0.8, label="calibrated")
    # An empty bin is null in both.
    confidence, accuracy = (
        100 * np.asarray(measured[key], np.float64) for key in ("confidence", "accuracy")
    )
    filled = ~np.isnan(confidence)
    how = style.look(0)
    axes.plot(
        confidence[filled],
        accuracy[filled],
        color=how.colour,
        marker=how.marker,
        label="accuracy",
        clip_on=False,
    )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xticks([0, 50, 100])
    axes.set_yticks([0, 50, 100])
