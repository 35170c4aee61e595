"""Size against accuracy: points at their values, labels apart."""

import pytest

from kdjax.plots.figures import size
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, visible, words

TWO = data.two_phase()


@pytest.mark.parametrize(
    "records",
    [[TWO], [data.many()], [data.two_phase(12)], [TWO, data.two_phase(workdir="b", seed=1)]],
    ids=["two", "long names", "12 peers", "runs"],
)
def test_every_point_has_its_label(records):
    figure = size.draw_records(records)
    (axes,) = figure.axes
    rows = [
        row
        for record in records
        for name, row in record["networks"].items()
        if name == row["network"]
    ]
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines]
    assert points == [(row["cost"]["parameters"], 100 * row["accuracy"]) for row in rows]
    shown = {text.split(": ")[-1] for text in words(figure)}
    assert {row["network"] for row in rows} <= shown
    assert len(axes.texts) == len(rows)
    assert axes.get_xscale() == "log"
    assert_readable(figure)


def test_labels_cover_no_points():
    figure = size.draw_records([data.two_phase(6)])
    (axes,) = figure.axes
    texts = [box for text, box in visible(figure) if text in axes.texts]
    for line in axes.lines:
        ((x, y),) = axes.transData.transform(line.get_xydata())
        assert not any(box.x0 < x < box.x1 and box.y0 < y < box.y1 for box in texts)


def test_points_of_runs_differ_in_marker_and_colour():
    axes = size.draw_records([TWO, TWO]).axes[0]
    assert len({(line.get_marker(), line.get_color()) for line in axes.lines}) == 2


def test_sizes_are_written_short():
    ticks = [text for text in words(size.draw_records([TWO])) if text[-1] in "kM"]
    assert {"20k", "100k", "1M"} <= set(ticks)


def test_equal_networks_still_have_an_axis():
    record = data.two_phase()
    for row in record["networks"].values():
        row["accuracy"] = 0.98
        row["cost"] = record["networks"]["peer_0"]["cost"]
    assert_readable(size.draw_records([record]))


def test_no_costs_no_figure():
    assert size.draw_records([data.one()]) is None
