"""Cells: their texts can be read on every shade."""

import numpy as np
from matplotlib import colormaps

from kdjax.plots.drawing import cells


def test_numbers_contrast_with_their_cells():
    shown = colormaps["cividis"]
    assert cells.contrast(0.0) == "white"
    assert cells.contrast(1.0) == "black"
    for place in np.linspace(0, 1, 101):
        red, green, blue = np.asarray(shown(place)[:3]) ** 2.2
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        ratio = (light + 0.05) / 0.05 if cells.contrast(place) == "black" else 1.05 / (light + 0.05)
        assert ratio > 4.5
