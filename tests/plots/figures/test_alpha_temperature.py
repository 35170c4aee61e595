"""Heat maps over alpha and temperature."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from kdjax.plots.figures import alpha_temperature
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, tick_names


def cell_texts(axes):
    """By row and column."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def shades(axes):
    return np.ma.filled(axes.images[0].get_array(), np.nan)


def test_search_is_ascending_and_its_best_cell_is_framed():
    figure = alpha_temperature.draw(data.trials(), split="validation")
    axes = figure.axes[0]
    alphas, temperatures = [0.1, 0.5, 0.9, 1.0], [1.0, 2.0, 4.0, 8.0, 20.0]
    expected = [
        [98 - abs(alpha - 0.5) - 0.1 * abs(temperature - 4) for temperature in temperatures]
        for alpha in alphas
    ]
    assert shades(axes) == pytest.approx(np.asarray(expected))
    assert tick_names(axes.yaxis) == ["0.1", "0.5", "0.9", "1"]
    assert tick_names(axes.xaxis) == ["1", "2", "4", "8", "20"]
    assert not axes.yaxis_inverted()
    assert cell_texts(axes)[1, 2] == "98.00"
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert {(int(f.get_x() + 0.5), int(f.get_y() + 0.5)) for f in frames} == {(2, 1)}
    assert axes.get_title("left").startswith("Accuracy on the validation split (%)\none seed")
    assert_readable(figure)


def test_seeds_are_averaged_and_counted():
    figure = alpha_temperature.draw(data.trials((0, 10, 20)), split="test")
    axes = figure.axes[0]
    assert shades(axes)[1, 2] == pytest.approx(98.01)
    assert cell_texts(axes)[1, 2] == "98.01"
    title = axes.get_title("left")
    # No setting is the best by its test accuracy.
    assert title == "Accuracy on the test split (%)\nmean of 3 seeds"
    assert not axes.patches


def test_missing_cells_are_hatched_and_uneven_counts_are_in_brackets():
    missing = [(0.9, 1.0), (0.1, 20.0)]
    trials = data.trials((0, 100), missing) | {(0.5, 4.0): [98.0]}
    figure = alpha_temperature.draw(trials, split="validation")
    axes = figure.axes[0]
    assert np.isnan(shades(axes)).sum() == 2
    # Cells without a value are transparent.
    assert axes.patch.get_hatch() == "///"
    texts = cell_texts(axes)
    assert (2, 0) not in texts
    assert texts[1, 2] == "98.00 (1)"
    assert texts[0, 0].endswith("(2)")
    assert axes.get_title("left").endswith("framed: the best; hatched: not tried")
    assert_readable(figure)


def test_a_search_of_one_cell_and_of_none():
    figure = alpha_temperature.draw({(0.5, 4.0): [98.0]}, split="validation")
    assert shades(figure.axes[0]).tolist() == [[98.0]]
    assert_readable(figure)
    assert alpha_temperature.draw({}, split="test") is None
