"""Horizontal bars with their values behind them: long names fit, values need no reading off."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from kdjax.charts import labels, style

_GAP = 4.0
"""Points between a bar and its value."""
_THICKEST = 0.19
"""Inches, however far apart bars with long labels stand."""
_TICK = 36.0
"""Points that a number on the axis may take."""
_LABEL = 130.0
"""Points, the widest label; longer ones are broken into lines."""


class Bar(NamedTuple):
    """One bar."""

    label: str
    value: float
    text: str
    """Stands behind it."""
    group: int = 0
    """Bars of the next group stand a little apart."""
    look: int = 0
    """Place in the order of looks."""
    reach: float | None = None
    """Where a whisker from the bar's end ends."""

    @property
    def end(self) -> float:
        return self.value if self.reach is None else self.reach


def height(bars: Sequence[Bar]) -> float:
    """Inches that a panel of these bars takes, with its axis."""
    return 0.65 + _pitch(bars) * (_places(bars)[-1] + 1)


def draw(
    axes: Axes, bars: Sequence[Bar], *, label: str, cut: bool = False, most: float | None = None
) -> None:
    """Draws one bar below the other, from the top.

    Args:
        axes: an empty panel.
        bars: at least one.
        label: the axis's, with its unit. Where the axis does not start at 0 it goes on to say so.
        cut: the axis may start above 0, where bars from 0 would look alike.
        most: no value is above it, so the axis does not go on behind it.
    """
    start = start_of([bar.value for bar in bars]) if cut else 0.0
    places = _places(bars)
    thickness = min(0.78, _THICKEST / _pitch(bars))
    for bar, place in zip(bars, places, strict=True):
        how = style.look(bar.look)
        axes.barh(
            place,
            bar.value - start,
            left=start,
            height=thickness,
            color=how.colour,
            edgecolor="black",
            hatch=how.hatch,
            linewidth=0.6,
        )
        if bar.reach is not None:
            axes.plot([bar.value, bar.reach], [place, place], color="black", linewidth=1.0)
            axes.plot(bar.reach, place, marker="|", color="black", markersize=8)
        axes.annotate(
            bar.text,
            (max(bar.end, start), place),
            xytext=(_GAP, 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
        )
    axes.set_yticks(places, _labels(bars))
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    room = _leave_room(axes, bars, start=start, most=most)
    if start:
        label += f"\nthe axis starts at\N{NO-BREAK SPACE}{start:g}"
    axes.set_xlabel(labels.wrap(label, room, style.TEXT))


def start_of(values: Sequence[float]) -> float:
    """Where an axis of bars starts: 0, unless all values lie close together far above it."""
    low, high = min(values), max(values)
    spread = high - low
    if spread == 0 or low < 3 * spread:
        return 0.0
    step = 10 ** math.floor(math.log10(spread))
    return float(f"{math.floor((low - 0.5 * spread) / step) * step:.12g}")


def _leave_room(axes: Axes, bars: Sequence[Bar], *, start: float, most: float | None) -> float:
    """Ends the axis where every value has its place behind its bar.

    Returns:
        The width of the axes, in points.
    """
    low = min(start, *(bar.value for bar in bars))
    room, _ = style.size_of(axes)
    # The whole axis in units, if this bar's value is to end where the axis ends.
    spans = [
        (max(bar.end, start) - low) * room / max(room - _GAP - 2 - labels.width(bar.text), 1)
        for bar in bars
    ]
    end = low + (max(spans) or 1.0)
    axes.set_xlim(low, end)
    axes.xaxis.set_major_locator(MaxNLocator(max(1, int(room / _TICK)), steps=[1, 2, 2.5, 5, 10]))
    if end >= 10_000:
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if most is not None:
        axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= min(end, most)])
    return room


def _places(bars: Sequence[Bar]) -> list[float]:
    """Centres on the vertical axis, one a bar, with half a bar between groups."""
    order = list(dict.fromkeys(bar.group for bar in bars))
    return [place + 0.5 * order.index(bar.group) for place, bar in enumerate(bars)]


def _pitch(bars: Sequence[Bar]) -> float:
    """Inches from one bar to the next: room for the longest label."""
    return 0.1 + 0.13 * max(label.count("\n") + 1 for label in _labels(bars))


def _labels(bars: Sequence[Bar]) -> list[str]:
    return [labels.wrap(bar.label, _LABEL) for bar in bars]
