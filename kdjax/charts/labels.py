"""Names on figures: how wide they are, and how long ones are broken or shortened."""

import math
import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from kdjax.charts import style


def width(text: str, size: float = style.SMALL) -> float:
    """Points that one line of text takes."""
    font = FontProperties(family=style.FONT, size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def shorten(text: str, length: int) -> str:
    """At most `length` characters; what is too long loses its middle."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return f"{text[: length - 1 - tail]}…{text[len(text) - tail :]}"


def wrap(text: str, room: float, size: float = style.SMALL) -> str:
    """Breaks the lines of a text into lines of at most `room` points.

    New breaks are after blanks, `+` and `/`; within what is still too wide, after `_` and `-`; what
    even then is too wide is shortened.
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


def _wrap(text: str, room: float, size: float) -> str:
    parts: list[str] = []
    for part in filter(None, re.findall(r"[^ +/]*[ +/]?", text)):
        fits = width(part.rstrip(), size) <= room
        parts += [part] if fits else filter(None, re.findall(r"[^_-]*[_-]?", part))
    lines = [""]
    for part in parts:
        if lines[-1] and width((lines[-1] + part).rstrip(), size) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(_narrow(line.strip(" "), room, size) for line in lines)


def _narrow(line: str, room: float, size: float) -> str:
    length = len(line)
    while length > 3 and width(shorten(line, length), size) > room:
        length -= 1
    return shorten(line, length)
