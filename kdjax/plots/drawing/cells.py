"""Grids of shaded cells, with a text in every cell where there is room for it."""

from collections.abc import Sequence
from typing import Any

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


def shade(axes: Axes, values: np.ndarray, norm: Normalize, **imshow: Any) -> AxesImage:
    """Shades cells by their values `[rows, columns]`, the first row on top; NaN is hatched.

    Further arguments are `Axes.imshow`'s.
    """
    look = {"aspect": "auto", "interpolation": "nearest", **imshow}
    image = axes.imshow(values, style.SEQUENTIAL, norm=norm, **look)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if np.isnan(values).any():
        # NaN is transparent.
        axes.patch.set(hatch="///", edgecolor="0.5", linewidth=0)
    return image


def write(axes: Axes, image: AxesImage, texts: Sequence[Sequence[str]]) -> None:
    """Writes `[rows][columns]` texts into the cells of an image that have a value."""
    shades = np.ma.filled(image.norm(np.ma.asarray(image.get_array())), np.nan)
    for (row, column), shade in np.ndenumerate(shades):
        if not np.isnan(shade):
            text = axes.text(column, row, texts[row][column], color=contrast(shade), ha="center")
            text.set(verticalalignment="center", fontsize=style.SMALL)


def contrast(shade: float) -> str:
    """Black or white, whichever is easier to read on a shade in [0, 1] of the colour map."""
    return "black" if shade > _DARK else "white"
