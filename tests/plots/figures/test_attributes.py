"""Accuracy on each attribute."""

import numpy as np
import pytest

from kdjax.plots.figures import attributes
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, tick_names


@pytest.mark.parametrize(
    "record",
    [
        data.two_phase(multi_label=True, classes=2),
        data.two_phase(multi_label=True, classes=40),
        data.many(multi_label=True, classes=40),
        data.one(multi_label=True, classes=40),
    ],
    ids=["2", "40", "12 networks", "alone"],
)
def test_every_network_on_every_attribute(record):
    figure = attributes.draw_record(record)
    (axes,) = figure.axes
    names = [name for name in record["networks"] if " after " not in name]
    first = record["networks"][names[0]]["attributes"]
    order = tick_names(axes.yaxis)
    assert sorted(order) == sorted(first)
    frequent, *networks = axes.lines
    assert len(networks) == len(names)
    shares = np.asarray([record["attribute_shares"][name] for name in order])
    assert frequent.get_xdata() == pytest.approx(100 * np.maximum(shares, 1 - shares))
    for line, name in zip(networks, names, strict=True):
        figures = record["networks"][name]["attributes"]
        assert line.get_xdata() == pytest.approx([100 * figures[n]["accuracy"] for n in order])
    means = np.mean([line.get_xdata() for line in networks], axis=0)
    assert (np.diff(means) <= 1e-9).all()
    assert axes.yaxis_inverted()
    assert len({(line.get_marker(), line.get_color()) for line in networks}) == len(names)
    assert_readable(figure)


def test_a_record_of_classes_has_no_attributes():
    assert attributes.draw_record(data.two_phase()) is None
