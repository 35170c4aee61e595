"""How a run's losses, accuracies and schedules change over the optimiser's steps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from kdjax.evaluation import sweep_settings
from kdjax.plots.drawing import labels, log_lines, style
from kdjax.plots.drawing.log_lines import Rows
from kdjax.plots.drawing.panels import Panel, panels, single_points
from kdjax.plots.types import Run, Section
from kdjax.runs import metrics_log

ORDER = 100
_FLAG = 11.0
"""Points from one level of stages' names to the next."""


def of_run(run: Run) -> Iterator[Section]:
    caption = (
        "From metrics.jsonl: terms of the loss before their weights, accuracy, and schedules; "
        f"training values are means over the steps since the point before.{run.about}"
    )
    rows = member_rows(metrics_log.logged(run.directory), run.member)
    yield Section("Training", "training", caption, draw(rows))


def member_rows(rows: Rows, member: Mapping[str, float]) -> Rows:
    """A sweep's log as the log of one member's run; the log of another run stays as it is."""
    if not member:
        return rows
    return [
        {
            "/".join(part.split("@")[0] for part in key.split("/")): value
            for key, value in row.items()
            if all(sweep_settings.belongs(part, member) for part in key.split("/"))
        }
        for row in rows
    ]


def draw(rows: Rows) -> Figure | None:
    """Panels of loss terms, accuracies and schedules, with a flag where each stage begins.

    A network has one colour and one marker in all panels. Training accuracy is a thin line,
    validation accuracy a thicker one with markers; a single point of training is open. The few
    values beside which all others would look flat are outside the panel, and its label counts them.
    Losses that span 1.5 decades have a logarithmic axis. Values of training steps are means over
    the steps since the point before.
    """
    if not rows:
        return None
    drawn = panels(rows)
    heights = [panel.height for panel in drawn]
    figure, axes = style.figure(
        sum(heights) + 0.9, len(drawn), sharex=True, gridspec_kw={"height_ratios": heights}
    )
    for panel_axes, panel in zip(axes, drawn, strict=True):
        _draw_panel(panel_axes, panel)
    axes[-1].set_xlabel("Optimiser step")
    axes[-1].set_xlim(0, 1.02 * rows[-1]["step"])
    for panel_axes, panel in zip(axes, drawn, strict=True):
        labels.name_vertical(panel_axes, panel.label)
    width, _ = style.size_of(axes[-1])
    axes[-1].xaxis.set_major_locator(MaxNLocator(max(2, int(width / 45))))
    axes[-1].xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    stages = log_lines.stage_starts(rows)
    if len(stages) > 1:
        top = _flag_stages(axes, stages)
        figure.set_figheight(figure.get_figheight() + top / 72)
    return figure


def _draw_panel(axes: Axes, panel: Panel) -> None:
    for drawn in panel.lines:
        steps, values = drawn.line
        look: dict[str, Any] = {"color": drawn.colour, "marker": drawn.marker, "markersize": 3.5}
        (line,) = axes.plot(
            steps, values, label=drawn.name, ls=drawn.dashes, lw=drawn.width, **look
        )
        # By distance on the page, so that dense lines stay lines.
        line.set_markevery(0.07 if len(steps) > 8 else None)
        # A single point has no line; it is open where its line has no markers.
        single = single_points(values)
        if len(single):
            if not drawn.marker:
                look |= {"marker": "o", "markersize": 5, "fillstyle": "none"}
            axes.plot(steps[single], values[single], ls="", **look)
    axes.grid()
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=20))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if panel.limits:
        axes.set_ylim(panel.limits)
    if any(drawn.name for drawn in panel.lines):
        style.legend_beside(axes)


def _flag_stages(axes: Sequence[Axes], stages: Mapping[str, float]) -> float:
    """Draws a line through all panels at the step where a stage begins, with its name on top.

    Limits of the horizontal axes must be final. Returns the points that the names need above the
    first panel.
    """
    look: dict[str, Any] = {"color": "0.35", "linewidth": 0.7}
    top = axes[0]
    width, _ = style.size_of(top)
    at: dict[str, Any] = {"xycoords": top.get_xaxis_transform(), "textcoords": "offset points"}
    pole = look | {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 0}
    flags: list[tuple[float, int]] = []
    for name, begin in reversed(list(stages.items())):
        start = width * begin / top.get_xlim()[1]
        end = start + labels.width(name) + 8
        # Later flags that begin before this flag ends stay below it, with their poles.
        level = 1 + max((level for later, level in flags if later < end), default=-1)
        flags.append((start, level))
        above = 4 + _FLAG * level
        top.annotate("", (begin, 1), (0, above + style.SMALL), arrowprops=pole, **at)
        top.annotate(name, (begin, 1), (3, above), fontsize=style.SMALL, **at)
        for panel in axes if begin else ():
            panel.axvline(begin, zorder=1, **look)
    return _FLAG * (1 + max(level for _, level in flags))
