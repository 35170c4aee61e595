"""Accuracy before and after a later stage."""

import pytest

from kdjax.plots.figures import before_and_after
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, bars, tick_names, words


def figures(record, *rows):
    return [record["networks"][row] for row in rows]


@pytest.mark.parametrize("multi_label", [False, True])
def test_before_and_after_prints_the_difference(multi_label):
    record = data.two_phase(multi_label=multi_label)
    figure = before_and_after.draw_record(record)
    before, after = figures(record, "peer_0 after peer_0", "peer_0")
    (axes,) = figure.axes
    assert tick_names(axes.yaxis)[:2] == ["peer_0 after peer_0", "peer_0 after mutual"]
    assert bars(axes)[:2] == pytest.approx([100 * before["accuracy"], 100 * after["accuracy"]])
    change = 100 * (after["accuracy"] - before["accuracy"])
    assert f"{100 * after['accuracy']:.2f} (+{change:.2f} points)" in words(figure)
    assert len(bars(axes)) == 4
    assert_readable(figure)


def test_a_loss_is_printed_with_a_minus_and_three_stages_are_compared_in_order():
    def left(stage, step, reached):
        return data.network("net", stage, step) | {"accuracy": reached}

    rows = [
        ("net", left("third", 30, 0.97)),
        ("net after second", left("second", 20, 0.98)),
        ("net after first", left("first", 10, 0.96)),
    ]
    figure = before_and_after.draw_record(data.record(rows))
    (axes,) = figure.axes
    assert bars(axes) == pytest.approx([96, 98, 97])
    assert {"96.00", "98.00 (+2.00 points)", "97.00 (\N{MINUS SIGN}1.00 points)"} <= set(
        words(figure)
    )
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert len({(line.get_color(), line.get_marker()) for line in points}) == 3


def test_before_and_after_is_none_without_two_stages():
    assert before_and_after.draw_record(data.one()) is None


@pytest.mark.parametrize(
    "record", [data.many(), data.two_phase(12)], ids=["long names", "12 peers"]
)
def test_before_and_after_of_many(record):
    assert_readable(before_and_after.draw_record(record))
