"""Speed: images per second and latency."""

import pytest

from kdjax.plots.figures import speed
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, bars, tick_names, whiskers

TWO = data.two_phase()


@pytest.mark.parametrize("record", [TWO, data.many()], ids=["two", "many"])
def test_throughput_has_whiskers_to_the_90th_percentile(record):
    figure = speed.draw_records([record])
    fast, slow = figure.axes
    assert bars(fast)[0] == 3456
    assert bars(slow)[:2] == pytest.approx([3.1, 0.42])
    assert whiskers(slow)[:2] == [(3.1, 3.9), (0.42, 0.55)]
    assert fast.get_xlabel().replace("\n", " ") == "Images per second batches of 256 on 1 x cpu"
    assert_readable(figure)


def test_devices_that_differ_stand_in_the_labels():
    figure = speed.draw_records([TWO, TWO | {"device": "8 x gpu"}])
    assert figure.axes[0].get_xlabel() == "Images per second"
    names = [name.replace("\n", " ") for name in tick_names(figure.axes[0].yaxis)]
    assert names[1] == "two (1): peer_0, batches of 256 on 1 x cpu"
    assert names[5] == "two (2): peer_0, batches of 256 on 8 x gpu"
    assert_readable(figure)


def test_no_costs_no_figure():
    assert speed.draw_records([data.one()]) is None
