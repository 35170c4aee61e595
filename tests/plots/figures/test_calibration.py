"""Reliability diagrams."""

import numpy as np
import pytest

from kdjax.plots.figures import calibration
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, words


@pytest.mark.parametrize(
    ("record", "panels"), [(data.two_phase(), 6), (data.one(), 1), (data.many(), 14)]
)
def test_a_panel_for_every_row(record, panels):
    figure = calibration.draw(record["networks"])
    assert len(figure.axes) == panels
    assert len([text for text in words(figure) if "calibration error 1.2 %" in text]) == panels
    assert_readable(figure)


def test_a_panel_shows_its_networks_bins():
    record = data.two_phase(multi_label=True)
    measured = record["networks"]["peer_0"]["reliability"]
    axes = calibration.draw(record["networks"]).axes[2]
    assert axes.get_title("left").startswith("peer_0\n")
    diagonal, accuracy = axes.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 100]
    filled = [place for place, value in enumerate(measured["confidence"]) if value is not None]
    assert 0 < len(filled) < 15
    expected = [100 * measured["accuracy"][place] for place in filled]
    assert accuracy.get_ydata() == pytest.approx(expected)
    heights = np.asarray([patch.get_height() for patch in axes.patches])
    assert heights == pytest.approx(100 * np.asarray(measured["count"]) / sum(measured["count"]))
    assert [patch.get_x() for patch in axes.patches][:2] == pytest.approx([0, 100 / 15])


def test_none_where_nothing_was_measured():
    record = data.one()
    record["networks"]["baseline"]["reliability"] = None
    assert calibration.draw(record["networks"]) is None
