"""Accuracy: bars show the record's own numbers and how far they are certain."""

import numpy as np
import pytest

from kdjax.plots.figures import accuracy
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, bars, tick_names, whiskers, words

TWO = data.two_phase()
MANY = data.many()
ONE = data.one()
RUNS = [TWO, data.two_phase(workdir="others/two", seed=3), ONE]


@pytest.mark.parametrize(
    "records", [[TWO], [ONE], [MANY], RUNS], ids=["two", "one", "many", "runs"]
)
def test_accuracy_has_a_bar_of_every_headline_network(records):
    figure = accuracy.draw_records(records)
    expected = [
        (name, 100 * network["accuracy"])
        for record in records
        for name, network in record["networks"].items()
        if " after " not in name
    ]
    (axes,) = figure.axes
    assert bars(axes) == pytest.approx([value for _, value in expected])
    assert {f"{value:.2f}" for _, value in expected} <= set(words(figure))
    named = "".join(tick_names(axes.yaxis)).replace("\n", "")
    assert all(name in named for name, _ in expected)
    assert_readable(figure)


def test_rows_of_several_runs_are_prefixed_and_of_one_are_not():
    assert tick_names(accuracy.draw_records([TWO]).axes[0].yaxis)[1] == "peer_0"
    names = tick_names(accuracy.draw_records(RUNS).axes[0].yaxis)
    assert names[1] == "runs/two: peer_0"
    assert names[5] == "others/two: peer_0"


def test_accuracies_are_points_on_an_axis_that_starts_below_the_lowest():
    axes = accuracy.draw_records([TWO]).axes[0]
    assert 90 < axes.get_xlim()[0] < min(end for line in whiskers(axes) for end in line)
    assert not axes.patches


def test_accuracies_have_wilsons_interval_over_the_images():
    """Agresti and Coull's closed form of Wilson's score interval."""
    record = data.one()
    record["networks"]["baseline"]["accuracy"] = 0.9
    record["examples"] = 50
    figure = accuracy.draw_records([record])
    z, p, n = 1.959963985, 0.9, 50
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    ends = (100 * (centre - reach), 100 * (centre + reach))
    assert whiskers(figure.axes[0]) == [pytest.approx(ends)]
    assert figure.axes[0].get_xlabel().endswith("lines: 95 % intervals over the images")
    assert_readable(figure)
    # The mean over attributes is no share of images.
    assert not whiskers(accuracy.draw_records([data.two_phase(multi_label=True)]).axes[0])


def test_means_over_seeds_have_their_deviation():
    record = data.two_phase()
    for row in record["networks"].values():
        row |= {"seeds": 3, "deviation": 0.004}
    record["networks"]["teacher"] |= {"seeds": 1, "deviation": None}
    figure = accuracy.draw_records([record])
    peer = 100 * record["networks"]["peer_0"]["accuracy"]
    assert whiskers(figure.axes[0])[0] == pytest.approx((peer - 0.4, peer + 0.4))
    assert len(whiskers(figure.axes[0])) == 3
    assert "the standard deviation" in figure.axes[0].get_xlabel()
    assert_readable(figure)


def test_axis_of_accuracies_names_what_the_records_share():
    assert (
        accuracy.draw_records([TWO])
        .axes[0]
        .get_xlabel()
        .startswith("Accuracy on the test split, 10,000 images (%)")
    )
    other = TWO | {"split": "validation", "examples": 5}
    assert accuracy.draw_records([TWO, other]).axes[0].get_xlabel().startswith("Accuracy (%)")
    multi = data.two_phase(multi_label=True)
    assert "Mean accuracy over attributes" in accuracy.draw_records([multi]).axes[0].get_xlabel()


def test_no_bars_without_networks():
    assert accuracy.draw_records([data.record([])]) is None
