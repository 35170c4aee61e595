"""Which lines stand in which panel of a run's curves, and how they look."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kdjax.plots.drawing import labels, log_lines, style
from kdjax.plots.drawing.log_lines import Line, Rows

_DECADES = 1.5
"""Losses that span more have a logarithmic axis."""
_MEANS = "\n(means between points)"
_SHARE = 0.05
"""Of the values at each end, which do not say how far the other values reach."""
_FEW = 5
"""Fewer values are all shown."""
_POINTS = 5.0
"""Percentage points of accuracy that are at least shown on both sides."""
_MOST_SCHEDULES = 4
"""More schedules have no legend: they look like their terms in the panel of losses."""
_LONGEST = 30
"""Characters of a name in a legend."""


class Drawn(NamedTuple):
    """One line of a panel."""

    name: str
    """In the legend; a line without a name is not there."""
    line: Line
    colour: str = "black"
    dashes: Any = "-"
    marker: str = ""
    width: float = 1.2


class Panel(NamedTuple):
    """Lines that share a vertical axis."""

    label: str
    lines: list[Drawn]
    least: float = 1.1
    """Inches that it is at least high."""
    logarithmic: bool = False
    limits: tuple[float, float] | None = None
    """Where its axis begins and ends; None for an axis that shows all values."""

    @property
    def height(self) -> float:
        """Inches, with room for its legend."""
        return max(self.least, 0.2 + 0.142 * sum(bool(drawn.name) for drawn in self.lines))


def panels(rows: Rows) -> list[Panel]:
    """The panels that have lines, from the top."""
    training = log_lines.read(rows, "train/([^/]+)/accuracy", 100)
    validation = log_lines.read(rows, "val/([^/]+)/accuracy", 100)
    # Without validation, training takes its place.
    networks, terms = _draw_lines(
        training | validation, log_lines.read(rows, "train/(?!(?:loss|learning_rate)$)([^/]+)")
    )
    total = log_lines.read(rows, "train/(loss)").values()
    losses = [*(Drawn("weighted sum", line, "0.7", width=2.6) for line in total), *terms.values()]
    # A logarithm needs positive values; a minus cosine beside them gets a panel of its own.
    positive = [drawn for drawn in losses if np.nanmin(drawn.line[1]) > 0]
    others = [drawn for drawn in losses if np.nanmin(drawn.line[1]) <= 0]
    thin = [
        networks[name]._replace(name="", line=line, marker="", width=0.7)
        for name, line in training.items()
        if name in validation
    ]
    # A single point, of a run that validates at its end, shows no course.
    validation_losses = [
        networks[name]._replace(name="", line=line)
        for name, line in log_lines.read(rows, "val/([^/]+)/loss").items()
        if len(line[0]) > 1
    ]
    single = any(len(single_points(drawn.line[1])) for drawn in thin)
    about = "\nopen, thin: training" if single else "\nthin: training" if thin else ""
    schedules = {
        kind: _schedules(log_lines.read(rows, f"train/([^/]+)/{kind}"), terms)
        for kind in ("weight", "temperature")
    }
    rates = log_lines.read(rows, "train/(learning_rate)").values()
    every = [
        _without_outliers(Panel("Loss (terms unweighted)", positive, 1.8), positive=True),
        Panel("Loss, other terms", others),
        _without_outliers(Panel(f"Accuracy (%){about}", [*thin, *networks.values()], 1.7)),
        _without_outliers(Panel("Validation loss (nats)", validation_losses, 1.4), positive=True),
        *(Panel(f"{kind.title()}{_MEANS}", drawn) for kind, drawn in schedules.items()),
        Panel(f"Learning rate{_MEANS}", [Drawn("", line) for line in rates]),
    ]
    return [panel for panel in every if panel.lines]


def single_points(values: np.ndarray) -> np.ndarray:
    """Places of values without a value before or behind them, in their stage."""
    there = np.concatenate([[False], ~np.isnan(values), [False]])
    return np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])


def _draw_lines(
    accuracies: Mapping[str, Line], losses: Mapping[str, Line]
) -> tuple[dict[str, Drawn], dict[str, Drawn]]:
    """The lines of networks and of terms, by name: a network has one colour and one marker in all
    panels, a kind of term has one dash, and a term of no network is black."""
    names = [*accuracies, *losses]
    short = dict(zip(names, labels.shorten_all(names, _LONGEST), strict=True))
    looks = {name: style.look(place) for place, name in enumerate(accuracies)}
    networks = {
        name: Drawn(short[name], accuracies[name], look.colour, "-", look.marker, 1.4)
        for name, look in looks.items()
    }
    terms = {}
    kinds: dict[str, int] = {}
    for name, line in losses.items():
        kind, network = log_lines.split_term(name, looks)
        dashes = style.look(kinds.setdefault(kind, len(kinds)))
        look = looks[network] if network else dashes._replace(colour="black")
        terms[name] = Drawn(short[name], line, look.colour, dashes.line, look.marker)
    return networks, terms


def _schedules(lines: Mapping[str, Line], terms: Mapping[str, Drawn]) -> list[Drawn]:
    """Terms that have the same schedule are one line."""
    same: dict[tuple[bytes, ...], list[str]] = {}
    for name, line in lines.items():
        same.setdefault(tuple(part.tobytes() for part in line), []).append(name)
    every = []
    for first, *others in same.values():
        name = terms[first].name + (f" and {len(others)} more" if others else "")
        named = name if len(same) <= _MOST_SCHEDULES else ""
        every.append(terms[first]._replace(name=named, line=lines[first]))
    return every


def _without_outliers(panel: Panel, *, positive: bool = False) -> Panel:
    """The panel without the few values beside which all others would look flat; its label counts
    them. Positive values that span `_DECADES` get a logarithmic axis.

    Shown are all values that lie at most twice as far off the middle nine tenths as these are wide,
    and the last value of every line.
    """
    if not panel.lines:
        return panel
    lines = [drawn.line[1][~np.isnan(drawn.line[1])] for drawn in panel.lines]
    values = np.concatenate(lines)
    in_decades = positive and bool(values.min() > 0)
    places = np.log10(values) if in_decades else values
    order = np.sort(places)
    apart = math.ceil(_SHARE * len(order)) if len(order) >= _FEW else 0
    low, high = order[apart], order[-1 - apart]
    reach = max(2 * (high - low), 0.5 if in_decades else _POINTS)
    shown = values[(places >= low - reach) & (places <= high + reach)]
    shown = np.concatenate([shown, *(line[-1:] for line in lines)])
    bounds = np.asarray([shown.min(), shown.max()])
    outside = {"above": (values > bounds[1]).sum(), "below": (values < bounds[0]).sum()}
    notes = ", ".join(f"{count} {where}" for where, count in outside.items() if count)
    logarithmic = in_decades and bool(np.log10(bounds[1] / bounds[0]) > _DECADES)
    ends = np.log10(bounds) if logarithmic else bounds
    margin = 0.08 * np.ptp(ends) or 0.5
    low, high = ends[0] - margin, ends[1] + margin
    limits = (10**low, 10**high) if logarithmic else (low, high)
    label = panel.label + (notes and f"\npoints outside: {notes}")
    return panel._replace(label=label, logarithmic=logarithmic, limits=limits if notes else None)
