"""Names on figures: how wide they are, and how long ones are broken or shortened."""

import functools
import math
import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from kdjax.plots.figures import style


@functools.lru_cache(maxsize=4096)
def width(text: str, size: float = style.SMALL) -> float:
    """Points that one line of text takes."""
    font = FontProperties(family=style.families(), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def shorten(text: str, length: int) -> str:
    """At most `length` characters; what is too long loses its middle."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def shorten_all(texts: Sequence[str], length: int) -> list[str]:
    """Each of them by `shorten`, to more characters where different ones would become alike."""
    while True:
        short = [shorten(text, length) for text in texts]
        if len(set(short)) == len(set(texts)):
            return short
        length += 1


def wrap(text: str, room: float, size: float = style.SMALL) -> str:
    """Breaks the lines of a text into lines of at most `room` points.

    New breaks are after blanks, `+`, `/` and `@`; within what is still too wide, after `_` and `-`;
    what even then is too wide is broken anywhere.
    """
    return "\n".join(_wrap(line, room, size) for line in text.split("\n"))


def digits(value: float) -> str:
    """Three significant digits, also where the last ones are zeros."""
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(decimals, 0)}f}"


def change(value: float) -> str:
    """A difference, to two decimals, with its sign."""
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def name_columns(axes: Axes, names: Sequence[str]) -> None:
    """Names under the columns of a grid: upright where all of them fit, else turned."""
    room = style.size_of(axes)[0] / len(names)
    turned = any(width(name) > room - 4 for name in names)
    axes.set_xticks(range(len(names)), names, rotation=90 if turned else 0)


def thin_ticks(axes: Axes) -> None:
    """Leaves out the names of ticks on the horizontal axis that would touch the one before."""
    room, _ = style.size_of(axes)
    taken = -math.inf
    names = []
    for place, tick in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        name = tick.get_text()
        at = room * axes.transAxes.inverted().transform(axes.transData.transform((place, 0)))[0]
        fits = at - width(name) / 2 > taken + 3
        names.append(name if fits else "")
        taken = at + width(name) / 2 if fits else taken
    axes.set_xticks(axes.get_xticks(), names)


def _wrap(text: str, room: float, size: float) -> str:
    parts: list[str] = []
    for part in filter(None, re.findall(r"[^ +/@]*[ +/@]?", text)):
        fits = width(part.rstrip(), size) <= room
        parts += [part] if fits else filter(None, re.findall(r"[^_-]*[_-]?", part))
    lines = [""]
    for part in parts:
        if lines[-1] and width((lines[-1] + part).rstrip(), size) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(piece for line in lines for piece in _pieces(line.strip(" "), room, size))


def _pieces(line: str, room: float, size: float) -> list[str]:
    """As few pieces as fit, of at least one character."""
    pieces = [""]
    for letter in line:
        if pieces[-1] and width(pieces[-1] + letter, size) > room:
            pieces.append("")
        pieces[-1] += letter
    return pieces
