"""How every figure looks and how it is written.

Figures are legible at the width of a page, in black and white, and to readers who are
colour-blind. The same figure is written as the same bytes on every call.
"""

import contextlib
import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure

_FILE = Path(__file__).with_name("kdjax.mplstyle")
_SETTINGS = dict[str, Any](
    matplotlib.rc_params_from_file(_FILE, use_default_template=False).items()
)
WIDTH = 6.5
"""Inches, of every figure: a page between its margins."""
TEXT: float = _SETTINGS["font.size"]
"""Points: titles and axis labels."""
SMALL: float = _SETTINGS["legend.fontsize"]
"""Points: ticks, legends and values; nothing is smaller."""
SEQUENTIAL = "cividis"
"""The map of magnitudes: its lightness rises evenly, so that grey shows the same order."""

# Okabe and Ito, without the yellow, which is too light for lines.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
_HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "+++", "ooo")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (9, 2)))


class Look(NamedTuple):
    """What tells several things apart, with colour and without."""

    colour: str
    hatch: str
    marker: str
    line: Any
    """A line style as matplotlib takes it."""

    def marked_line(self) -> dict[str, Any]:
        """Arguments of `Axes.plot` for a line with markers."""
        return {"color": self.colour, "linestyle": self.line, "marker": self.marker}

    def dot(self, size: float = 6.0) -> dict[str, Any]:
        """Arguments of `Axes.plot` for markers with a black edge, without a line."""
        edge = {"markeredgecolor": "black", "markeredgewidth": size / 12}
        return {"ls": "", "color": self.colour, "marker": self.marker, "markersize": size} | edge


def look(index: int) -> Look:
    """The look of the thing in place `index`; markers and colours repeat together after 63."""
    kinds = (_COLOURS, _HATCHES, _MARKERS, _LINES)
    return Look(*(kind[index % len(kind)] for kind in kinds))


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """The settings of all figures alone, whatever the user's own matplotlibrc says.

    Figures are drawn and saved under these settings: matplotlib makes ticks only when it saves.
    """
    settings = {**_SETTINGS, "font.family": families()}
    with matplotlib.style.context(["default", settings]), warnings.catch_warnings():
        # `without_font` reports missing characters once.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


@functools.cache
def families() -> list[str]:
    """The fonts of text: each has characters that the fonts before it lack."""
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return [name for name in _SETTINGS["font.family"] if name in installed]


def without_font(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line that says which characters of the names of classes no font here has, if any."""
    used = {letter for record in records for name in record["class_names"] for letter in name}
    paths = [font_manager.findfont(name) for name in families()]
    known = {code for path in paths for code in font_manager.get_font(path).get_charmap()}
    lacking = sorted(letter for letter in used if ord(letter) not in known)
    if not lacking:
        return []
    more = f" and {len(lacking) - 8} more" if len(lacking) > 8 else ""
    return [
        f"no font here has {' '.join(lacking[:8])}{more}, so that figures show boxes: install "
        "one, as the package fonts-noto-cjk"
    ]


def figure(
    height: float, rows: int = 1, columns: int = 1, **subplots: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure, `height` inches high, and its axes, row by row.

    Further arguments are those of `Figure.subplots`.
    """
    empty = Figure(figsize=(WIDTH, height), layout="constrained")
    return empty, list(np.ravel(empty.subplots(rows, columns, squeeze=False, **subplots)))


def save(drawn: Figure, folder: Path, name: str) -> Path:
    """Writes `<name>.png` and `<name>.svg`, makes their folder, and returns the PNG's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    drawn.savefig(path, dpi=200)
    # A date would make every file differ from the last.
    drawn.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    return path


def legend_beside(axes: Axes) -> None:
    """A legend to the right of a panel."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, labelspacing=0.2)


def bar_below(drawn: Figure, shades: ScalarMappable, label: str, **colorbar: Any) -> Colorbar:
    """The bar of shades below a figure's panels; further arguments are `Figure.colorbar`'s."""
    return drawn.colorbar(
        shades, location="bottom", label=label, aspect=35, **{"shrink": 0.6, **colorbar}
    )


def size_of(axes: Axes) -> tuple[float, float]:
    """The width and height of a panel, in points, as the layout makes it now."""
    drawn = axes.get_figure(root=True)
    assert drawn is not None
    drawn.draw_without_rendering()
    box = axes.get_window_extent()
    return box.width * 72 / drawn.dpi, box.height * 72 / drawn.dpi
