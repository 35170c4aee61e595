"""Grids of shaded cells, with the value in every cell where there is room for it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage

from kdjax.plots.figures import style

MOST_WITH_VALUES = 15
"""Rows or columns; in more of them values would be too small to read."""


def shade(
    axes: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]] | None,
    *,
    norm: Normalize,
    origin: Any = "upper",
) -> AxesImage:
    """Draws the cells.

    Args:
        axes: an empty panel.
        values: `[rows, columns]`; NaN is a cell without a value, which is hatched.
        texts: `[rows][columns]`, what stands in each cell, or None.
        norm: of the shades.
        origin: "upper": the first row on top; "lower": at the bottom.
    """
    image = axes.imshow(
        values,
        cmap=style.SEQUENTIAL,
        norm=norm,
        aspect="auto",
        interpolation="nearest",
        origin=origin,
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for row, column in zip(*np.nonzero(np.isnan(values)), strict=True):
        axes.fill(
            [column - 0.5, column + 0.5, column + 0.5, column - 0.5],
            [row - 0.5, row - 0.5, row + 0.5, row + 0.5],
            facecolor="white",
            edgecolor="0.5",
            hatch="///",
            linewidth=0.0,
        )
    if texts is not None:
        write(axes, image, values, texts)
    return image


def write(axes: Axes, image: AxesImage, values: np.ndarray, texts: Sequence[Sequence[str]]) -> None:
    """Writes `[rows][columns]` texts into the cells that have a value."""
    shades = np.asarray(image.norm(values))
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            axes.text(
                column,
                row,
                texts[row][column],
                ha="center",
                va="center",
                fontsize=style.SMALL,
                color=contrast(image.cmap, float(shades[row, column])),
            )


def contrast(shades: Colormap, place: float) -> str:
    """Black or white, whichever is easier to read on the shade at `place` in [0, 1].

    By the contrast ratio of WCAG 2.1, from relative luminances.
    """
    red, green, blue = (_linear(part) for part in shades(place)[:3])
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"


def _linear(part: float) -> float:
    """One channel of sRGB as light."""
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
