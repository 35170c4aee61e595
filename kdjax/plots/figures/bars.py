"""Horizontal bars or points with their values behind them: long names fit, values need no reading
off."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from kdjax.plots.figures import labels, style

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
    whisker: tuple[float, float] | None = None
    """Where a line through the bar's end begins and ends."""

    @property
    def low(self) -> float:
        return self.whisker[0] if self.whisker else self.value

    @property
    def high(self) -> float:
        return self.whisker[1] if self.whisker else self.value


def height(bars: Sequence[Bar]) -> float:
    """Inches that a panel of these bars takes, with its axis."""
    return 0.65 + _pitch(bars) * (_places(bars)[-1] + 1)


def draw(
    axes: Axes, bars: Sequence[Bar], *, label: str, cut: bool = False, most: float | None = None
) -> None:
    """Draws one bar below the other, from the top; points where the axis does not start at 0.

    Args:
        axes: an empty panel.
        bars: at least one.
        label: the axis's, with its unit.
        cut: the axis may start above 0, where bars from 0 would look alike. Values are points then,
            because the length of a bar that does not start at 0 means nothing.
        most: no value is above it, so the axis does not go on behind it.
    """
    start = start_of(bars) if cut else 0.0
    places = _places(bars)
    thickness = min(0.78, _THICKEST / _pitch(bars))
    for bar, place in zip(bars, places, strict=True):
        how = style.look(bar.look)
        if start:
            axes.plot(
                bar.value,
                place,
                marker=how.marker,
                color=how.colour,
                markeredgecolor="black",
                markeredgewidth=0.5,
                markersize=5.5,
            )
        else:
            axes.barh(
                place,
                bar.value,
                height=thickness,
                color=how.colour,
                edgecolor="black",
                hatch=how.hatch,
                linewidth=0.6,
            )
        if bar.whisker:
            axes.plot(
                bar.whisker,
                [place, place],
                color="black",
                linewidth=1.0,
                marker="|",
                markersize=6,
                zorder=1.5,
            )
        axes.annotate(
            bar.text,
            (bar.high, place),
            xytext=(_GAP + 3 * bool(start), 0),
            textcoords="offset points",
            va="center",
            fontsize=style.SMALL,
        )
    axes.set_yticks(places, _labels(bars))
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="both" if start else "x")
    room = _leave_room(axes, bars, start=start, most=most)
    axes.set_xlabel(labels.wrap(label, room, style.TEXT))


def start_of(bars: Sequence[Bar]) -> float:
    """Where the axis starts: 0, unless all values lie close together far above it."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    spread = high - low
    if spread <= 0 or low < 3 * spread:
        return 0.0
    step = 0.5 * 10 ** math.floor(math.log10(spread))
    return float(f"{math.floor((low - 0.2 * spread) / step) * step:.12g}")


def _leave_room(axes: Axes, bars: Sequence[Bar], *, start: float, most: float | None) -> float:
    """Ends the axis where every value has its place behind its bar.

    Returns:
        The width of the axes, in points.
    """
    low = min(start, *(bar.low for bar in bars))
    room, _ = style.size_of(axes)
    # The whole axis in units, if this bar's value is to end where the axis ends.
    spans = [
        (bar.high - low) * room / max(room - _GAP - 6 - labels.width(bar.text), 1) for bar in bars
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
