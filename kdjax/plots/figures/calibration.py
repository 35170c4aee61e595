"""Whether networks are as often right as they are confident."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdjax.plots.drawing import labels, style
from kdjax.plots.types import Run, Section

ORDER = 130
_COLUMNS = 3


def of_run(run: Run) -> Iterator[Section]:
    networks = run.evaluation.record["networks"]
    caption = (
        "Accuracy against confidence; on the diagonal a network is as often right as it says."
        + run.about
    )
    yield Section("Calibration", "calibration", caption, draw({r: networks[r] for r in run.rows}))


def draw(networks: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Reliability diagrams, a small panel for each of a record's networks of known reliability.

    A panel shows accuracy against mean confidence over bins of equal width, the diagonal on which a
    calibrated network lies, the share of the images in each bin, and the expected calibration
    error.
    """
    rows = {
        name: network["reliability"] for name, network in networks.items() if network["reliability"]
    }
    if not rows:
        return None
    columns = min(_COLUMNS, len(rows))
    lines = math.ceil(len(rows) / columns)
    figure, axes = style.figure(0.9 + 2.05 * lines, lines, columns, sharey=True)
    for panel, (name, reliability) in zip(axes, rows.items(), strict=False):
        _draw_panel(panel, reliability)
        error = f"calibration error {100 * reliability['error']:.1f} %"
        panel.set_title(f"{labels.wrap(name, 125, style.SMALL)}\n{error}", fontsize=style.SMALL)
    for panel in axes[len(rows) :]:
        panel.remove()
    figure.supxlabel("Confidence, the probability of the prediction (%)", fontsize=style.TEXT)
    figure.supylabel("Accuracy; share of the images (%)", fontsize=style.TEXT)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def _draw_panel(axes: Axes, reliability: Mapping[str, Any]) -> None:
    counts = np.asarray(reliability["count"], np.float64)
    shares = 100 * counts / max(counts.sum(), 1)
    edges = np.linspace(0, 100, len(counts) + 1)
    look: dict[str, Any] = {"color": "0.85", "edgecolor": "0.6", "linewidth": 0.5}
    axes.bar(edges[:-1], shares, np.diff(edges), align="edge", label="share of the images", **look)
    axes.plot([0, 100], [0, 100], "--", color="0.35", linewidth=0.8, label="calibrated")
    # An empty bin is null in both.
    confidence, accuracy = (
        100 * np.asarray(reliability[key], np.float64) for key in ("confidence", "accuracy")
    )
    filled = ~np.isnan(confidence)
    line = style.look(0).marked_line()
    axes.plot(confidence[filled], accuracy[filled], label="accuracy", clip_on=False, **line)
    axes.set(xlim=(0, 100), ylim=(0, 100), xticks=[0, 50, 100], yticks=[0, 50, 100])
