"""Compression: sizes and their share of the teacher's."""

import pytest

from kdjax.plots.figures import compression
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, bars, words

TWO = data.two_phase()


@pytest.mark.parametrize("records", [[TWO], [data.many(), TWO]], ids=["two", "many"])
def test_compression_shows_megabytes_and_the_share_of_the_teacher(records):
    figure = compression.draw_records(records)
    assert bars(figure.axes[0])[-4:] == pytest.approx([5.31, 0.0879, 0.0879, 0.0879])
    assert {"5.31", "0.0879 (1.65 % of the teacher)"} <= set(words(figure))
    assert_readable(figure)


def test_no_costs_no_figure():
    assert compression.draw_records([data.one()]) is None
