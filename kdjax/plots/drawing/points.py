"""Labels of points that cover neither each other nor points."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from kdjax.plots.drawing import labels, style

_DISTANCES = (6.0, 12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0)
"""Points from a point to its label, tried in this order."""
_ANGLES = (0, 180, 45, -45, 135, -135, 90, -90, 22, -22, 158, -158, 67, -67, 113, -113)
_HEIGHT = 1.25 * style.SMALL


class _Place(NamedTuple):
    """Where a label may stand. A box is its left, low, right and high side, in points."""

    boxes: np.ndarray
    """`[1 + m, 4]`: the label's box, then boxes along the line from the point to a far label."""
    foot: np.ndarray
    """Where that line meets the label, as shares of its width and height."""


def label_points(axes: Axes, points: Sequence[tuple[float, float]], names: Sequence[str]) -> None:
    """Writes a name beside every point, with a thin line to it where it stands farther off.

    One label after the other takes the nearest place that is free and within the axes; where none
    is, the place that covers least. Limits and scales of the axes must be final.
    """
    size = np.asarray(style.size_of(axes))
    axes_box = np.asarray([[0, 0, *size]])
    centres = axes.transAxes.inverted().transform(axes.transData.transform(points)) * size
    taken = np.hstack([centres - 4, centres + 4])

    def cost(place: _Place) -> float:
        outside = np.prod(place.boxes[0, 2:] - place.boxes[0, :2])
        outside -= _common_area(place.boxes[:1], axes_box)
        # No place is worse than another by rounding alone.
        return round(_common_area(place.boxes, taken) + 10 * outside, 2)

    for centre, point, name in zip(centres, points, names, strict=True):
        label = np.asarray([labels.width(name) + 6, _HEIGHT])
        place = min((_beside(centre, label, r, a) for r in _DISTANCES for a in _ANGLES), key=cost)
        taken = np.vstack([taken, place.boxes])
        line = {"arrowstyle": "-", "relpos": place.foot, "color": "0.5", "linewidth": 0.6}
        axes.annotate(
            name,
            point,
            xytext=tuple((place.boxes[0, :2] + place.boxes[0, 2:]) / 2 - centre),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=style.SMALL,
            arrowprops=line | {"shrinkA": 1, "shrinkB": 3} if len(place.boxes) > 1 else None,
        ).set_in_layout(False)


def _beside(centre: np.ndarray, label: np.ndarray, distance: float, angle: float) -> _Place:
    """A label whose nearest side or corner is this far from the point, in that direction."""
    direction = np.asarray([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    foot = (1 - direction) / 2
    corner = centre + distance * direction - label * foot
    reaches = np.arange(7.0, distance, 3.0) if distance > _DISTANCES[0] else np.zeros(0)
    line = centre + reaches[:, None] * direction
    label_box = np.concatenate([corner, corner + label])
    return _Place(np.vstack([label_box, np.hstack([line - 1, line + 1])]), foot)


def _common_area(boxes: np.ndarray, others: np.ndarray) -> float:
    """The area that boxes `[n, 4]` share with others `[m, 4]`, summed over all pairs."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    return float(np.maximum(high - low, 0.0).prod(axis=-1).sum())
