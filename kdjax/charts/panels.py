"""Which lines stand in which panel of a run's curves, and how they look."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kdjax.charts import labels, style
from kdjax.charts.metrics import Curves, Line, network_of

_DECADES = 1.5
"""Losses that span more have a logarithmic axis."""
_THIN = "\nthin: training"
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
    top: bool = False
    """The first steps may leave it at the bottom, so that the rest does not look flat."""

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
    if not _spans(positive):
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
    made = [
        Panel("Loss (terms unweighted)", positive, 1.8, logarithmic=_spans(positive)),
        Panel("Loss, other terms", apart),
        Panel(f"Accuracy (%){_THIN if thin else ''}", thin + thick, 1.7, top=True),
        Panel("Validation loss (nats)", validated, 1.4),
        Panel("Weight", looks.schedules(curves.weights)),
        Panel("Temperature", looks.schedules(curves.temperatures)),
        Panel("Learning rate", [Drawn("", curves.learning_rate)]),
    ]
    filled = [
        panel._replace(lines=[drawn for drawn in panel.lines if len(drawn.line[0])])
        for panel in made
    ]
    return [panel for panel in filled if panel.lines]


class _Looks:
    """A network has one colour and one marker in all panels, a kind of term has one dash."""

    def __init__(self, curves: Curves):
        self._networks = list(curves.training | curves.validation)
        self._kinds = list(dict.fromkeys(self._kind(name) for name in curves.terms))

    def network(self, name: str, line: Line, *, marked: bool = True) -> Drawn:
        """Thin and not in the legend unless it is marked."""
        how = style.look(self._networks.index(name))
        if not marked:
            return Drawn("", line, how.colour, width=0.7)
        return Drawn(labels.shorten(name, _LONGEST), line, how.colour, "-", how.marker, 1.4)

    def term(self, name: str, line: Line, *, others: int = 0) -> Drawn:
        """A term of no network is black; `others` share this line."""
        kind = self._kind(name)
        dashes = style.look(self._kinds.index(kind) if kind in self._kinds else 0).line
        more = f" and {others} more" if others else ""
        label = labels.shorten(name, _LONGEST - len(more)) + more
        network = network_of(name, self._networks)
        if network is None:
            return Drawn(label, line, dashes=dashes)
        how = style.look(self._networks.index(network))
        return Drawn(label, line, how.colour, dashes, how.marker)

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


def _spans(lines: Sequence[Drawn]) -> bool:
    """Whether values are positive and too far apart for a linear axis."""
    values = np.concatenate([drawn.line[1] for drawn in lines] or [np.zeros(0)])
    values = values[~np.isnan(values)]
    if not len(values) or values.min() <= 0:
        return False
    return bool(np.log10(values.max() / values.min()) > _DECADES)
