"""Horizontal bars or points with their values behind them: long names fit, and no value has to be
read off the axis."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from scipy import stats

from kdjax.evaluation.records import Record, Row, accuracy_label
from kdjax.plots.drawing import labels, style

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

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.value, *self.whisker)


def draw(panels: Mapping[str, Sequence[Bar]], *, points: str = "") -> Figure | None:
    """Panels side by side, with one bar below the other from the top; None without bars.

    Args:
        panels: the bars of each panel by the label of its axis, with its unit. All panels have
            bars of the same labels and groups.
        points: the label of a panel of points, for values far above 0 whose bars would look alike:
            its axis starts near the lowest value, where the length of a bar means nothing.
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
        thickness = 0.0 if label == points else min(0.78, _THICKEST / pitch)
        for bar, place in zip(bars, places, strict=True):
            _draw_bar(panel, bar, place, thickness)
        panel.set_yticks(places, names)
        panel.set_ylim(places[-1] + 0.6, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x" if thickness else "both")
        # The layout leaves room for texts that stand beyond the end of the axis.
        ends = [end for bar in bars for end in bar.ends]
        low, high = min(ends), max(ends)
        low = min(low, 0.0) if thickness else low - 0.1 * (high - low)
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
    at = (4 if thickness else 7, 0)
    text = axes.annotate(bar.text, (max(bar.ends), place), at, textcoords="offset points")
    text.set(verticalalignment="center", fontsize=style.SMALL)


def accuracy_bar(row: Row, *, group: int, look: int) -> Bar:
    """The bar of one network's accuracy, in percent.

    Its line shows the standard deviation over seeds, or Wilson's 95 % interval for the share of the
    images that one network has right; it has none for several attributes or for a single seed.
    """
    accuracy, deviation = row.measures["accuracy"], row.measures.get("deviation")
    whisker: tuple[float, ...] = ()
    if deviation is not None:
        whisker = 100 * (accuracy - deviation), 100 * (accuracy + deviation)
    elif not row.record["multi_label"] and not row.measures.get("seeds"):
        count = row.record["examples"]
        interval = stats.binomtest(round(accuracy * count), count).proportion_ci(method="wilson")
        whisker = 100 * float(interval.low), 100 * float(interval.high)
    return Bar(row.label, 100 * accuracy, f"{100 * accuracy:.2f}", group, look, whisker)


def draw_accuracies(accuracies: Sequence[Bar], records: Sequence[Record]) -> Figure | None:
    """A figure of bars, whose axis says what the records share and what the lines mean."""
    label = accuracy_label(records)
    networks = [network for record in records for network in record["networks"].values()]
    if any(network.get("deviation") is not None for network in networks):
        label += "\nmeans over seeds, lines: the standard deviation"
    elif any(bar.whisker for bar in accuracies):
        label += "\nlines: 95 % intervals over the images"
    return draw({label: accuracies}, points=label)
