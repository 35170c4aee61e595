"""Grids of shaded cells, with a text in every cell where there is room for it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage

from kdjax.plots.drawing import style

MOST_WITH_TEXTS = 15
"""Rows or columns; in more of them texts would be too small to read."""
_DARK = 0.466
"""Up to this share of the colour map white is easier to read on a shade, beyond it black: there,
both have a contrast ratio of 4.6 by WCAG 2.1."""


def shade(
    axes: Axes,
    values: np.ndarray,
    texts: Sequence[Sequence[str]] | None,
    *,
    norm: Normalize,
    origin: Literal["upper", "lower"] = "upper",
) -> AxesImage:
    """Draws the cells.

    Args:
        axes: an empty panel.
        values: `[rows, columns]`; a cell whose value is NaN is hatched.
        texts: `[rows][columns]` texts of the cells, or None.
        norm: of the shades.
        origin: whether the first row is on top or at the bottom.
    """
    image = axes.imshow(
        values, style.SEQUENTIAL, norm=norm, aspect="auto", interpolation="nearest", origin=origin
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if np.isnan(values).any():
        # NaN is transparent.
        axes.patch.set(hatch="///", edgecolor="0.5", linewidth=0)
    if texts is not None:
        write(axes, image, values, texts)
    return image


def write(axes: Axes, image: AxesImage, values: np.ndarray, texts: Sequence[Sequence[str]]) -> None:
    """Writes `[rows][columns]` texts into the cells that have a value."""
    shades = np.asarray(image.norm(values))
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = contrast(float(shades[row, column]))
            text = axes.text(column, row, texts[row][column], color=colour, ha="center")
            text.set(verticalalignment="center", fontsize=style.SMALL)


def contrast(shade: float) -> str:
    """Black or white, whichever is easier to read on a shade in [0, 1] of the colour map."""
    return "black" if shade > _DARK else "white"
