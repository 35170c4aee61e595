"""Names of stages on flags above a panel, as low as they fit without covering each other."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from kdjax.plots.drawing import labels, style

_LINE = 11.0
"""Points from one level of names to the next."""
_COLOUR = "0.35"


def flag_stages(axes: Sequence[Axes], stages: Mapping[str, float]) -> None:
    """Draws a line through all panels where a stage begins, with its name above the first panel.

    Args:
        axes: panels one below the other; their horizontal limits must be final.
        stages: the step at which each begins, in ascending order; a single stage is not named.
    """
    if len(stages) < 2:
        return
    for panel in axes:
        for begin in list(stages.values())[1:]:
            panel.axvline(begin, color=_COLOUR, linewidth=0.7, zorder=1)
    top = axes[0]
    low, high = top.get_xlim()
    width, _ = style.size_of(top)
    starts = [(begin - low) / (high - low) * width for begin in stages.values()]
    ends = [start + labels.width(name) + 8 for start, name in zip(starts, stages, strict=True)]
    flag_levels = levels(starts, ends)
    figure = top.get_figure(root=True)
    assert figure is not None
    figure.set_figheight(figure.get_figheight() + _LINE * (max(flag_levels) + 1) / 72)
    at: dict[str, Any] = {"xycoords": top.get_xaxis_transform(), "textcoords": "offset points"}
    pole = {"arrowstyle": "-", "color": _COLOUR, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0}
    for (name, begin), level in zip(stages.items(), flag_levels, strict=True):
        above = 4 + _LINE * level
        top.annotate("", (begin, 1), (0, above + style.SMALL), arrowprops=pole, **at)
        top.annotate(name, (begin, 1), (3, above), fontsize=style.SMALL, **at)


def levels(starts: Sequence[float], ends: Sequence[float]) -> list[int]:
    """The level of each flag, 0 the lowest: no flag covers another, nor another's pole.

    Args:
        starts: of the flags, ascending; a flag's pole stands there, from the bottom up to it.
        ends: of the flags.
    """
    level = [0] * len(starts)
    for place in reversed(range(len(starts))):
        # Later flags that begin before this flag ends must stay below it, with their poles.
        covered = [later for later in range(place + 1, len(starts)) if starts[later] < ends[place]]
        level[place] = max((level[later] for later in covered), default=-1) + 1
    return level
