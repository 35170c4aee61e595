"""How a run's losses, accuracies and schedules went, over the optimiser's steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from kdjax.plots.figures import labels, style
from kdjax.plots.figures.flags import flag_stages
from kdjax.plots.figures.metrics import read
from kdjax.plots.figures.panels import Panel, alone, panels


@style.styled
def training(rows: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Panels of loss terms, accuracies, and whatever has a schedule; stages are told apart.

    A network has one colour and one marker in all panels. Training accuracy is a thin line,
    validation accuracy a thicker one with markers; a single point of training is open. The few
    values beside which all others would look flat are outside the panel, and its label counts them.
    Losses that span 1.5 decades have a logarithmic axis. Values of training steps are means over
    the steps since the point before.

    Args:
        rows: of `metrics.jsonl`, in its order.

    Returns:
        None for a run that has logged nothing.
    """
    if not rows:
        return None
    curves = read(rows)
    found = panels(curves)
    heights = [panel.height for panel in found]
    figure, axes = style.figure(
        sum(heights) + 0.9, len(found), sharex=True, gridspec_kw={"height_ratios": heights}
    )
    for panel, drawn in zip(axes, found, strict=True):
        _draw(panel, drawn)
    axes[-1].set_xlabel("Optimiser step")
    axes[-1].set_xlim(0, 1.02 * rows[-1]["step"])
    sizes = style.sizes_of(axes)
    for panel, drawn, (_, height) in zip(axes, found, sizes, strict=True):
        panel.set_ylabel(labels.wrap(drawn.label, height, style.TEXT))
    width, _ = sizes[-1]
    axes[-1].xaxis.set_major_locator(MaxNLocator(max(2, int(width / 45))))
    axes[-1].xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    flag_stages(axes, curves.stages)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    for drawn in panel.lines:
        axes.plot(
            *drawn.line,
            color=drawn.colour,
            linestyle=drawn.dashes,
            marker=drawn.marker,
            markersize=3.5,
            linewidth=drawn.width,
            # By distance on the page, so that dense lines stay lines.
            markevery=0.07 if len(drawn.line[0]) > 8 else None,
            label=drawn.name,
        )
        # A single point has no line; it is open where its line has no markers.
        places = alone(drawn.line[1])
        if len(places):
            axes.plot(
                *(part[places] for part in drawn.line),
                color=drawn.colour,
                linestyle="",
                marker=drawn.marker or "o",
                markersize=3.5 if drawn.marker else 5,
                fillstyle="full" if drawn.marker else "none",
            )
    axes.grid()
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=20))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if panel.limits:
        low, high = np.log10(panel.limits) if panel.logarithmic else panel.limits
        margin = 0.08 * (high - low) or 0.5
        low, high = low - margin, high + margin
        axes.set_ylim((10**low, 10**high) if panel.logarithmic else (low, high))
    if any(drawn.name for drawn in panel.lines):
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, labelspacing=0.2)
