"""Horizontal bars or points with their values behind them: long names fit, and no value has to be
read off the axis."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
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
    axes: Axes, bars: Sequence[Bar], *, label: str, cut: bool = False, most: float = math.inf
) -> None:
    """Draws one bar below the other, from the top; points where the axis does not start at 0.

    Args:
        axes: an empty panel.
        bars: at least one.
        label: the axis's, with its unit.
        cut: the axis may start above 0, where bars from 0 would look alike. Values are points then,
            because the length of a bar that does not start at 0 means nothing.
        most: the largest possible value, beyond which the axis does not go.
    """
    start = start_of(bars) if cut else 0.0
    places = _places(bars)
    thickness = min(0.78, _THICKEST / _pitch(bars))
    for bar, place in zip(bars, places, strict=True):
        look = style.look(bar.look)
        if start:
            axes.plot(bar.value, place, clip_on=False, **look.dot(5.5))
        else:
            (patch,) = axes.barh(place, bar.value, thickness, color=look.colour, hatch=look.hatch)
            patch.set(edgecolor="black", linewidth=0.6)
        if bar.whisker:
            (line,) = axes.plot(bar.whisker, [place, place], "k|-", clip_on=False, zorder=1.5)
            line.set(linewidth=1.0, markersize=6)
        at = (_GAP + 3 * bool(start), 0)
        text = axes.annotate(bar.text, (bar.high, place), at, textcoords="offset points")
        text.set(verticalalignment="center", fontsize=style.SMALL)
    axes.set_yticks(places, _labels(bars))
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="both" if start else "x")

    # The layout leaves room for values that stand beyond the end of the axis.
    low = min(start, *(bar.low for bar in bars))
    end = min(max(start, *(bar.high for bar in bars)), most)
    axes.set_xlim(low, end if end > low else low + 1.0)
    room, _ = style.size_of(axes)
    axes.xaxis.set_major_locator(MaxNLocator(max(1, int(room / _TICK)), steps=[1, 2, 2.5, 5, 10]))
    if end >= 10_000:
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel(labels.wrap(label, room, style.TEXT))


def start_of(bars: Sequence[Bar]) -> float:
    """Where the axis starts: 0, unless all values lie close together far above it."""
    low, high = min(bar.low for bar in bars), max(bar.high for bar in bars)
    spread = high - low
    if spread <= 0 or low < 3 * spread:
        return 0.0
    step = 0.5 * 10 ** math.floor(math.log10(spread))
    return float(f"{math.floor((low - 0.2 * spread) / step) * step:.12g}")


def _places(bars: Sequence[Bar]) -> list[float]:
    """Centres on the vertical axis, with half a bar between groups."""
    groups = list(dict.fromkeys(bar.group for bar in bars))
    return [place + 0.5 * groups.index(bar.group) for place, bar in enumerate(bars)]


def _pitch(bars: Sequence[Bar]) -> float:
    """Inches from one bar to the next: room for the longest label."""
    return labels.pitch(_labels(bars))


def _labels(bars: Sequence[Bar]) -> list[str]:
    return [labels.wrap(bar.label, LABEL) for bar in bars]
