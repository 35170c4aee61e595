"""Agreement: heat maps of equal predictions."""

import numpy as np
import pytest

from kdjax.plots.figures import agreement
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, tick_names

TWO = data.two_phase()


def cell_texts(axes):
    """By row and column."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def shades(axes):
    return np.ma.filled(axes.images[0].get_array(), np.nan)


def test_agreement_has_every_pair_in_the_records_order():
    figure = agreement.draw(TWO["agreement"])
    axes = figure.axes[0]
    matrix = np.asarray(TWO["agreement"]["matrix"])
    assert shades(axes) == pytest.approx(100 * matrix)
    texts = cell_texts(axes)
    assert not any(texts[place, place] for place in range(6))
    assert texts[0, 2] == texts[2, 0] == f"{100 * matrix[0, 2]:.1f}"
    assert tick_names(axes.xaxis) == tick_names(axes.yaxis) == list(TWO["networks"])
    assert_readable(figure)


def test_long_names_become_numbers_under_the_columns():
    figure = agreement.draw(data.many()["agreement"])
    axes = figure.axes[0]
    assert tick_names(axes.xaxis) == [str(place) for place in range(1, 15)]
    assert tick_names(axes.yaxis)[0] == "1 teacher"
    assert_readable(figure)


@pytest.mark.parametrize(("peers", "networks"), [(7, 16), (12, 26)])
def test_agreement_of_more_than_fifteen_is_in_whole_percents_where_there_is_no_room(
    peers, networks
):
    record = data.two_phase(peers)
    figure = agreement.draw(record["agreement"])
    matrix = 100 * np.asarray(record["agreement"]["matrix"])
    texts = cell_texts(figure.axes[0])
    assert len(texts) == networks**2
    whole = networks > 20
    assert texts[0, 1] == f"{matrix[0, 1]:.{0 if whole else 1}f}"
    assert_readable(figure)


def test_shades_of_agreement_reach_100_percent():
    record = data.two_phase()
    norm = agreement.draw(record["agreement"]).axes[0].images[0].norm
    assert norm.vmax == 100
    assert norm.vmin == pytest.approx(100 * np.min(record["agreement"]["matrix"]))


def test_agreement_needs_two_networks():
    assert agreement.draw(data.one()["agreement"]) is None


def test_agreement_of_equal_networks():
    record = data.two_phase()
    record["agreement"]["matrix"] = np.ones((6, 6)).tolist()
    assert_readable(agreement.draw(record["agreement"]))
