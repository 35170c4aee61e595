"""Horizontal bars or points with their values behind them: long names fit, and no value has to be
read off the axis."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from kdjax.plots.drawing import labels, style

_GAP = 4.0
"""Points between a bar and its value."""
_THICKEST = 0.19
"""Inches, however far apart bars with long labels stand."""
_TICK = 36.0
"""Points that a number on the axis may take."""
LABEL = 130.0
"""Points, the widest label; longer labels are broken into lines."""


class Bar(NamedTuple):
    """One bar."""

    label: str
    value: float
    text: str
    """Stands behind the bar."""
    group: int = 0
    """Bars of the next group stand a little apart."""
    look: int = 0
    """Place in the order of looks."""
    whisker: tuple[float, ...] = ()
    """Where a line through the bar's end begins and ends; empty for no line."""


def draw(panels: Mapping[str, Sequence[Bar]], *, cut: str = "") -> Figure | None:
    """Panels side by side, with one bar below the other from the top; None without bars.

    Args:
        panels: the bars of each panel by the label of its axis, with its unit. All panels have
            bars of the same labels and groups.
        cut: the label of an axis that may start above 0, where bars from 0 would look alike. Values
            are points then, because the length of a bar that does not start at 0 means nothing.
    """
    bars = next(iter(panels.values()))
    if not bars:
        return None
    names = [labels.wrap(bar.label, LABEL) for bar in bars]
    groups = list(dict.fromkeys(bar.group for bar in bars))
    # Half a bar between groups.
    places = [place + 0.5 * groups.index(bar.group) for place, bar in enumerate(bars)]
    pitch = labels.pitch(names)
    height = 0.65 + 0.3 * (len(panels) > 1) + pitch * (places[-1] + 1)
    figure, axes = style.figure(height, 1, len(panels), sharey=True)
    for panel, (label, bars) in zip(axes, panels.items(), strict=True):
        values = [value for bar in bars for value in (bar.value, *bar.whisker)]
        start = start_of(values) if label == cut else 0.0
        for bar, place in zip(bars, places, strict=True):
            _draw_bar(panel, bar, place, 0.0 if start else min(0.78, _THICKEST / pitch))
        panel.set_yticks(places, names)
        panel.set_ylim(places[-1] + 0.6, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="both" if start else "x")
        # The layout leaves room for texts that stand beyond the end of the axis.
        low, high = min(start, *values), max(start, *values)
        panel.set_xlim(low, high if high > low else low + 1.0)
        room, _ = style.size_of(panel)
        ticks = MaxNLocator(max(1, int(room / _TICK)), steps=[1, 2, 2.5, 5, 10])
        panel.xaxis.set_major_locator(ticks)
        if high >= 10_000:
            panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        panel.set_xlabel(labels.wrap(label, room, style.TEXT))
    return figure


def _draw_bar(axes: Axes, bar: Bar, place: float, thickness: float) -> None:
    """A bar with its text and its line; of thickness 0 a point."""
    look = style.look(bar.look)
    if thickness:
        (patch,) = axes.barh(place, bar.value, thickness, color=look.colour, hatch=look.hatch)
        patch.set(edgecolor="black", linewidth=0.6)
    else:
        axes.plot(bar.value, place, clip_on=False, **look.dot(5.5))
    if bar.whisker:
        (line,) = axes.plot(bar.whisker, [place, place], "k|-", clip_on=False, zorder=1.5)
        line.set(linewidth=1.0, markersize=6)
    gap = _GAP if thickness else _GAP + 3
    text = axes.annotate(
        bar.text, (max(0, bar.value, *bar.whisker), place), (gap, 0), textcoords="offset points"
    )
    text.set(verticalalignment="center", fontsize=style.SMALL)


def start_of(values: Sequence[float]) -> float:
    """Where an axis starts: 0, unless all values lie close together far above it."""
    low, high = min(values), max(values)
    spread = high - low
    if spread <= 0 or low < 3 * spread:
        return 0.0
    step = 0.5 * 10 ** math.floor(math.log10(spread))
    return float(f"{math.floor((low - 0.2 * spread) / step) * step:.12g}")
