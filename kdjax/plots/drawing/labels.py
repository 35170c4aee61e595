"""Names on figures: their width, and how long names are broken into lines or shortened."""

import functools
import math
import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from kdjax.plots.drawing import style


@functools.lru_cache(maxsize=4096)
def width(text: str, size: float = style.SMALL) -> float:
    """Points that one line of text takes."""
    font = FontProperties(family=style.families(), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def shorten(text: str, length: int) -> str:
    """At most `length` characters; a longer text loses its middle."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def shorten_all(texts: Sequence[str], length: int) -> list[str]:
    """Shortens all texts, to more characters where different texts would become alike."""
    while True:
        short = [shorten(text, length) for text in texts]
        if len(set(short)) == len(set(texts)):
            return short
        length += 1


def wrap(text: str, room: float, size: float = style.SMALL) -> str:
    """Breaks the lines of a text into lines of at most `room` points.

    A line may end after a blank, `+`, `/` or `@`; a part that is still too wide may be broken
    after `_` or `-`, and a part of it that is even then too wide anywhere.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        lines.append("")
        for part in _parts(line, room, size, _BREAKS):
            if lines[-1] and width((lines[-1] + part).rstrip(), size) > room:
                lines.append("")
            lines[-1] += part
    return "\n".join(line.strip(" ") for line in lines)


_BREAKS = (r"[^ +/@]*[ +/@]?", r"[^_-]*[_-]?", r".")


def _parts(text: str, room: float, size: float, breaks: Sequence[str]) -> list[str]:
    """The text in parts that fit, divided by no more kinds of break than it needs."""
    if not breaks or width(text.rstrip(), size) <= room:
        return [text]
    pieces = filter(None, re.findall(breaks[0], text))
    return [part for piece in pieces for part in _parts(piece, room, size, breaks[1:])]


def digits(value: float) -> str:
    """Three significant digits, also where the last ones are zeros."""
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(decimals, 0)}f}"


def name_vertical(axes: Axes, label: str) -> None:
    """Writes the label of the vertical axis, in lines that are no longer than the axis."""
    axes.set_ylabel(wrap(label, style.size_of(axes)[1], style.TEXT))


def name_columns(axes: Axes, names: Sequence[str]) -> None:
    """Names under the columns of a grid: upright where all of them fit, else turned."""
    room = style.size_of(axes)[0] / len(names)
    turned = any(width(name) > room - 4 for name in names)
    axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)


def thin_ticks(axes: Axes) -> None:
    """Hides the names of ticks on the horizontal axis that would touch the name before."""
    style.size_of(axes)
    end = -math.inf
    for name in axes.get_xticklabels():
        box = name.get_window_extent()
        name.set_visible(box.x0 > end)
        end = box.x1 + 5 if name.get_visible() else end


def pitch(names: Sequence[str]) -> float:
    """Inches from one row to the next that leave room for the name with the most lines."""
    return 0.1 + 0.13 * max(name.count("\n") + 1 for name in names)
