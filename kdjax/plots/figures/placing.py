"""Labels of points that neither cover each other nor points."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from kdjax.plots.figures import labels, style

_DISTANCES = (6.0, 12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0)
"""Points from a point to its label, tried in this order."""
_ANGLES = (0, 180, 45, -45, 135, -135, 90, -90, 22, -22, 158, -158, 67, -67, 113, -113)
_HEIGHT = 1.25 * style.SMALL


class _Box(NamedTuple):
    """In points, from the lower left corner of the axes."""

    left: float
    low: float
    right: float
    high: float

    def overlap(self, other: "_Box") -> float:
        """Their common area."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.high, other.high) - max(self.low, other.low)
        return max(wide, 0.0) * max(tall, 0.0)


class _Place(NamedTuple):
    """Where a label may stand."""

    label: _Box
    leader: list[_Box]
    """Along the line from the point to the label; empty where the label stands at its point."""
    foot: tuple[float, float]
    """Where the line meets the label, as shares of its width and height."""


def label_points(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Writes a name beside every point, with a thin line to it where it stands farther off.

    One after the other takes the nearest place that is free and within the axes; where none is,
    the one that covers least. Limits and scales of the axes must be final.
    """
    width, height = style.size_of(axes)
    inverse = axes.transAxes.inverted()
    places = inverse.transform(axes.transData.transform(np.asarray(points)))
    places = places * np.asarray([width, height])
    taken = [_Box(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for (x, y), point, name in zip(places, points, names, strict=True):
        wide = labels.width(name) + 6
        tried = [
            _beside(float(x), float(y), wide, far, angle) for far in _DISTANCES for angle in _ANGLES
        ]
        box, leader, foot = _best(tried, taken, width, height)
        taken += [box, *leader]
        centre = ((box.left + box.right) / 2 - x, (box.low + box.high) / 2 - y)
        axes.annotate(
            name,
            point,
            xytext=centre,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=style.SMALL,
            arrowprops={
                "arrowstyle": "-",
                "relpos": foot,
                "color": "0.5",
                "linewidth": 0.6,
                "shrinkA": 1,
                "shrinkB": 3,
            }
            if leader
            else None,
        ).set_in_layout(False)


def _beside(x: float, y: float, wide: float, far: float, angle: float) -> _Place:
    """A label whose nearest side or corner is `far` points from the point, in that direction."""
    right, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    foot = ((1 - right) / 2, (1 - up) / 2)
    left, low = x + far * right - wide * foot[0], y + far * up - _HEIGHT * foot[1]
    label = _Box(left, low, left + wide, low + _HEIGHT)
    reaches = np.arange(7.0, far, 3.0) if far > _DISTANCES[0] else np.zeros(0)
    centres = [(x + reach * right, y + reach * up) for reach in reaches]
    return _Place(label, [_Box(a - 1, b - 1, a + 1, b + 1) for a, b in centres], foot)


def _best(tried: Sequence[_Place], taken: Sequence[_Box], width: float, height: float) -> _Place:
    """The first free place, else the one that covers least."""
    least = (math.inf, tried[0])
    for place in tried:
        parts = (place.label, *place.leader)
        cost = sum(part.overlap(other) for part in parts for other in taken)
        cost += 10 * _outside(place.label, width, height)
        # No place is worse than another by rounding alone.
        if cost < 1e-3:
            return place
        least = min(least, (cost, place), key=lambda found: found[0])
    return least[1]


def _outside(box: _Box, width: float, height: float) -> float:
    """Area outside the axes."""
    return (box.right - box.left) * _HEIGHT - box.overlap(_Box(0, 0, width, height))
