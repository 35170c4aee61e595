"""Which lines stand in which panel of a run's curves, and how they look."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kdjax.plots.figures import labels, style
from kdjax.plots.figures.metrics import Curves, Line, network_of

_DECADES = 1.5
"""Losses that span more have a logarithmic axis."""
_THIN = "\nthin: training"
_OPEN = "\nopen, thin: training"
_MEANS = "\n(means between points)"
_SHARE = 0.05
"""Of the values at each end, which do not say how far the others reach."""
_FEW = 5
"""Fewer values are all shown."""
_POINTS = 5.0
"""Percentage points of accuracy that are at least shown on both sides."""
_MOST_SCHEDULES = 4
"""More of them have no legend: they look like their terms in the panel of losses."""
_LONGEST = 30
"""Characters of a name in a legend."""


class Drawn(NamedTuple):
    """One line of a panel."""

    name: str
    """In the legend; an empty one is not there."""
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
    """The values that it shows; None for all."""

    @property
    def height(self) -> float:
        """Inches, with room for its legend."""
        return max(self.least, 0.2 + 0.142 * sum(bool(drawn.name) for drawn in self.lines))


def panels(curves: Curves) -> list[Panel]:
    """Those that have lines, from the top."""
    looks = _Looks(curves)
    terms = [looks.term(name, line) for name, line in curves.terms.items()]
    losses = [Drawn("weighted sum", curves.loss, "0.7", width=2.6), *terms]
    # A logarithm needs positive values; a minus cosine beside them gets a panel of its own.
    apart = [drawn for drawn in losses if len(drawn.line[1]) and np.nanmin(drawn.line[1]) <= 0]
    positive = [drawn for drawn in losses if all(drawn is not other for other in apart)]
    if not _robust(Panel("", positive), logarithmic=True).logarithmic:
        positive, apart = losses, []
    thin = [
        looks.network(name, line, marked=False)
        for name, line in curves.training.items()
        if name in curves.validation
    ]
    rest = {name: line for name, line in curves.training.items() if name not in curves.validation}
    thick = [looks.network(name, line) for name, line in (rest | curves.validation).items()]
    # One point each, of a run that validates at its end, shows no course.
    validated = [
        looks.network(name, line)._replace(name="")
        for name, line in curves.validation_loss.items()
        if len(line[0]) > 1
    ]
    said = _OPEN if any(len(alone(drawn.line[1])) for drawn in thin) else _THIN if thin else ""
    made = [
        _robust(Panel("Loss (terms unweighted)", positive, 1.8), logarithmic=True),
        Panel("Loss, other terms", apart),
        _robust(Panel(f"Accuracy (%){said}", thin + thick, 1.7)),
        _robust(Panel("Validation loss (nats)", validated, 1.4), logarithmic=True),
        Panel(f"Weight{_MEANS}", looks.schedules(curves.weights)),
        Panel(f"Temperature{_MEANS}", looks.schedules(curves.temperatures)),
        Panel(f"Learning rate{_MEANS}", [Drawn("", curves.learning_rate)]),
    ]
    filled = [
        panel._replace(lines=[drawn for drawn in panel.lines if len(drawn.line[0])])
        for panel in made
    ]
    return [panel for panel in filled if panel.lines]


def alone(values: np.ndarray) -> np.ndarray:
    """Places of values without one before or behind them, in their stage."""
    there = np.concatenate([[False], ~np.isnan(values), [False]])
    return np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])


class _Looks:
    """A network has one colour and one marker in all panels, a kind of term has one dash."""

    def __init__(self, curves: Curves):
        self._networks = list(curves.training | curves.validation)
        names = [*self._networks, *curves.terms]
        self._short = dict(zip(names, labels.shorten_all(names, _LONGEST), strict=True))
        self._kinds = list(dict.fromkeys(self._kind(name) for name in curves.terms))

    def network(self, name: str, line: Line, *, marked: bool = True) -> Drawn:
        """Thin and not in the legend unless it is marked."""
        how = style.look(self._networks.index(name))
        if not marked:
            return Drawn("", line, how.colour, width=0.7)
        return Drawn(self._short[name], line, how.colour, "-", how.marker, 1.4)

    def term(self, name: str, line: Line, *, others: int = 0) -> Drawn:
        """A term of no network is black; `others` share this line."""
        kind = self._kind(name)
        alike = style.look(self._kinds.index(kind) if kind in self._kinds else 0)
        more = f" and {others} more" if others else ""
        label = self._short[name] + more
        network = network_of(name, self._networks)
        if network is None:
            return Drawn(label, line, dashes=alike.line, marker=alike.marker)
        how = style.look(self._networks.index(network))
        return Drawn(label, line, how.colour, alike.line, how.marker)

    def schedules(self, lines: Mapping[str, Line]) -> list[Drawn]:
        """Terms that go by one schedule are one line."""
        alike: dict[tuple[bytes, ...], list[str]] = {}
        for name, line in lines.items():
            alike.setdefault(tuple(part.tobytes() for part in line), []).append(name)
        made = [
            self.term(first, lines[first], others=len(others)) for first, *others in alike.values()
        ]
        if len(made) > _MOST_SCHEDULES:
            return [drawn._replace(name="") for drawn in made]
        return made

    def _kind(self, term: str) -> str:
        network = network_of(term, self._networks)
        return term if network is None else term[: term.find(f"_{network}")]


def _robust(panel: Panel, *, logarithmic: bool = False) -> Panel:
    """The panel without the few values beside which all others would look flat; its label counts
    them. It has a logarithmic axis where it may and its values span `_DECADES`.

    All values are shown that lie at most twice as far off the middle nine tenths as these are wide,
    and the last value of every line.
    """
    lines = [drawn.line[1][~np.isnan(drawn.line[1])] for drawn in panel.lines]
    lines = [line for line in lines if len(line)]
    if not lines:
        return panel
    values = np.concatenate(lines)
    in_decades = logarithmic and bool(values.min() > 0)
    places = np.log10(values) if in_decades else values
    order = np.sort(places)
    apart = math.ceil(_SHARE * len(order)) if len(order) >= _FEW else 0
    low, high = order[apart], order[len(order) - 1 - apart]
    reach = max(2 * (high - low), 0.5 if in_decades else _POINTS)
    last = np.concatenate([line[-1:] for line in lines])
    shown = values[(places >= low - reach) & (places <= high + reach)]
    bounds = float(min(shown.min(), last.min())), float(max(shown.max(), last.max()))
    said = [
        f"\n{count} {'point lies' if count == 1 else 'points lie'} {where}"
        for count, where in (
            (int((values > bounds[1]).sum()), "above"),
            (int((values < bounds[0]).sum()), "below"),
        )
        if count
    ]
    return panel._replace(
        label=panel.label + "".join(said),
        logarithmic=in_decades and bool(np.log10(bounds[1] / bounds[0]) > _DECADES),
        limits=bounds if said else None,
    )
