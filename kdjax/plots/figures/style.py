"""How every figure looks: legible at the width of a page, in black and white, and to readers who
are colour-blind; and how it is written, the same bytes on every call."""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn")

WIDTH = 6.5
"""Inches, of every figure: a page between its margins."""
FONT = "DejaVu Sans"
"""matplotlib brings it along."""
_OTHER_SCRIPTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR"),
    *("Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "IPAGothic"),
    *("PingFang SC", "Hiragino Sans", "Microsoft YaHei", "MS Gothic", "Malgun Gothic"),
    *("Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai"),
    *("Nirmala UI", "Leelawadee UI", "Noto Sans", "Arial Unicode MS", "Unifont"),
)
"""Families that have what `FONT` lacks, where they are installed."""
TEXT = 9.0
"""Points: titles and axis labels."""
SMALL = 8.0
"""Points: ticks, legends and values; nothing is smaller."""
DOTS = 200
"""Per inch, in a PNG."""
SEQUENTIAL = "cividis"
"""The map of magnitudes: its lightness rises evenly, so that grey shows the same order."""

_SETTINGS: Mapping[str, Any] = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.titlelocation": "left",
    "axes.labelsize": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "grid.color": "0.88",
    "grid.linewidth": 0.6,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.constrained_layout.w_pad": 0.07,
    "hatch.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    # Names of classes may hold dollar signs.
    "text.parse_math": False,
    "svg.hashsalt": "kdjax",
}
# Okabe and Ito, without the yellow, which is too light for lines.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
_HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "+++", "ooo")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_LINES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (9, 2)))


class Look(NamedTuple):
    """What tells one of several things from the others, with colour and without."""

    colour: str
    hatch: str
    marker: str
    line: Any
    """A line style as matplotlib takes it."""


def look(index: int) -> Look:
    """The look of the thing in place `index`; markers and colours repeat together after 63."""
    ways = (_COLOURS, _HATCHES, _MARKERS, _LINES)
    return Look(*(way[index % len(way)] for way in ways))


def styled(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """Runs a function under these settings alone, whatever the reader's own matplotlibrc says."""

    @functools.wraps(draw)
    def under_settings(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
        settings = {**_SETTINGS, "font.family": families()}
        with matplotlib.style.context(["default", settings]), warnings.catch_warnings():
            # `without_font` says it once.
            warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
            return draw(*args, **kwargs)

    return under_settings


@functools.cache
def families() -> list[str]:
    """The fonts that text is drawn with: each has what those before it lack."""
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return [FONT, *(name for name in _OTHER_SCRIPTS if name in installed)]


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
    height: float, rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure.

    Args:
        height: inches.
        rows: of panels.
        columns: of panels.
        grid: what else `Figure.subplots` takes.

    Returns:
        The figure, and its axes row by row.
    """
    made = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = list(np.ravel(made.subplots(rows, columns, squeeze=False, **grid)))
    for panel in axes:
        # matplotlib makes ticks when it draws, and then the settings are gone.
        panel.tick_params(labelsize=SMALL)
    return made, axes


@styled
def save(drawn: Figure, folder: Path, name: str) -> Path:
    """Writes `<name>.png` and `<name>.svg`; the folder is made.

    Returns:
        The path of the PNG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    drawn.savefig(path, dpi=DOTS)
    # A date would make every file differ from the last.
    drawn.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    return path


def sizes_of(panels: Sequence[Axes]) -> list[tuple[float, float]]:
    """Widths and heights of panels of one figure, in points, as the layout makes them now."""
    drawn = panels[0].get_figure(root=True)
    if drawn is None:
        raise ValueError("these panels belong to no figure")
    drawn.draw_without_rendering()
    boxes = [panel.get_window_extent() for panel in panels]
    return [(box.width * 72 / drawn.dpi, box.height * 72 / drawn.dpi) for box in boxes]


def size_of(axes: Axes) -> tuple[float, float]:
    """Width and height of one panel, as `sizes_of` has them."""
    return sizes_of([axes])[0]
