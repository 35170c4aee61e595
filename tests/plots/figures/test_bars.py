"""Bars: accuracy, compression, throughput and fidelity show the record's own numbers."""

import numpy as np
import pytest

from kdjax.plots.figures import accuracy, fidelity, size
from kdjax.plots.figures.bars import Bar, start_of
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, bars, tick_names, whiskers, words

TWO = data.two_phase()
MANY = data.many()
ONE = data.one()
RUNS = [TWO, data.two_phase(workdir="others/two", seed=3), ONE]


def figures(record, *rows):
    return [record["networks"][row] for row in rows]


@pytest.mark.parametrize(
    "records", [[TWO], [ONE], [MANY], RUNS], ids=["two", "one", "many", "runs"]
)
def test_accuracy_has_a_bar_of_every_headline_network(records):
    figure = accuracy.bars(records)
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
    assert tick_names(accuracy.bars([TWO]).axes[0].yaxis)[1] == "peer_0"
    names = tick_names(accuracy.bars(RUNS).axes[0].yaxis)
    assert names[1] == "runs/two: peer_0"
    assert names[5] == "others/two: peer_0"


def test_an_axis_that_does_not_start_at_0_has_points_in_place_of_bars():
    axes = accuracy.bars([TWO]).axes[0]
    assert axes.get_xlim()[0] > 90
    assert not axes.patches
    low = data.one()
    low["networks"]["baseline"]["accuracy"] = 0.1
    whole = accuracy.bars([TWO, low]).axes[0]
    assert whole.get_xlim()[0] == 0
    assert all(patch.get_x() == 0 for patch in whole.patches)
    assert len(whole.patches) == 5


def test_accuracies_have_wilsons_interval_over_the_images():
    """Agresti and Coull's closed form of Wilson's score interval."""
    record = data.one()
    record["networks"]["baseline"]["accuracy"] = 0.9
    record["examples"] = 50
    figure = accuracy.bars([record])
    z, p, n = 1.959963985, 0.9, 50
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    ends = (100 * (centre - reach), 100 * (centre + reach))
    assert whiskers(figure.axes[0]) == [pytest.approx(ends)]
    assert figure.axes[0].get_xlabel().endswith("lines: 95 % intervals over the images")
    assert_readable(figure)
    # The mean over attributes is no share of images.
    assert not whiskers(accuracy.bars([data.two_phase(multi_label=True)]).axes[0])


def test_means_over_seeds_have_their_deviation():
    record = data.two_phase()
    for row in record["networks"].values():
        row |= {"seeds": 3, "deviation": 0.004}
    record["networks"]["teacher"] |= {"seeds": 1, "deviation": None}
    figure = accuracy.bars([record])
    peer = 100 * record["networks"]["peer_0"]["accuracy"]
    assert whiskers(figure.axes[0])[0] == pytest.approx((peer - 0.4, peer + 0.4))
    assert len(whiskers(figure.axes[0])) == 3
    assert "the standard deviation" in figure.axes[0].get_xlabel()
    assert_readable(figure)


@pytest.mark.parametrize("values", [[97.0, 98.0], [10.0, 90.0], [98.0], [0.0, 0.0], [50.0, 51.3]])
def test_the_start_of_an_axis_is_below_every_value(values):
    start = start_of([Bar("", value, "") for value in values])
    assert start == 0 or start < min(values)
    assert (start > 0) == (len(set(values)) > 1 and min(values) >= 3 * (max(values) - min(values)))
    wide = start_of([Bar("", value, "", whisker=(0.5 * value, value)) for value in values])
    assert wide == 0


def test_axis_of_accuracies_names_what_the_records_share():
    assert (
        accuracy.bars([TWO])
        .axes[0]
        .get_xlabel()
        .startswith("Accuracy on the test split, 10,000 images (%)")
    )
    other = TWO | {"split": "validation", "examples": 5}
    assert accuracy.bars([TWO, other]).axes[0].get_xlabel().startswith("Accuracy (%)")
    multi = data.two_phase(multi_label=True)
    assert "Mean accuracy over attributes" in accuracy.bars([multi]).axes[0].get_xlabel()


def test_no_bars_without_networks():
    assert accuracy.bars([]) is None
    assert accuracy.bars([data.record([])]) is None


@pytest.mark.parametrize("multi_label", [False, True])
def test_before_and_after_prints_the_difference(multi_label):
    record = data.two_phase(multi_label=multi_label)
    figure = accuracy.before_and_after(record)
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
    figure = accuracy.before_and_after(data.record(rows))
    (axes,) = figure.axes
    assert bars(axes) == pytest.approx([96, 98, 97])
    assert {"96.00", "98.00 (+2.00 points)", "97.00 (\N{MINUS SIGN}1.00 points)"} <= set(
        words(figure)
    )
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert len({(line.get_color(), line.get_marker()) for line in points}) == 3


def test_before_and_after_is_none_without_two_stages():
    assert accuracy.before_and_after(ONE) is None
    assert fidelity.before_and_after(ONE) is None


@pytest.mark.parametrize("record", [MANY, data.two_phase(12)], ids=["long names", "12 peers"])
def test_before_and_after_of_many(record):
    assert_readable(accuracy.before_and_after(record))
    assert_readable(fidelity.before_and_after(record))


def test_fidelity_has_three_panels():
    figure = fidelity.before_and_after(TWO)
    divergence, loss, cosine = figure.axes
    rows = figures(TWO, "peer_0 after peer_0", "peer_0", "peer_1 after peer_1", "peer_1")
    assert bars(divergence) == pytest.approx([row["teacher"]["kl"] for row in rows])
    assert bars(loss) == pytest.approx([row["loss"] for row in rows])
    assert bars(cosine) == pytest.approx([row["teacher"]["cosine"] for row in rows])
    assert "features" in cosine.get_xlabel()
    assert "nats" in divergence.get_xlabel().replace("\n", " ")
    assert_readable(figure)


def test_one_network_without_features_turns_all_to_logits():
    record = data.two_phase()
    record["networks"]["peer_1"]["teacher"]["cosine"] = None
    axes = fidelity.before_and_after(record).axes[2]
    rows = figures(record, "peer_0 after peer_0", "peer_0", "peer_1 after peer_1", "peer_1")
    assert bars(axes) == pytest.approx([row["teacher"]["logit_cosine"] for row in rows])
    assert "logits" in axes.get_xlabel()


def test_fidelity_is_none_without_a_teacher():
    record = data.two_phase()
    for row in record["networks"].values():
        row["teacher"] = None
    assert fidelity.before_and_after(record) is None


@pytest.mark.parametrize("key", ["loss", "kl"])
def test_networks_without_numbers_are_left_out(key):
    record = data.two_phase()
    row = record["networks"]["peer_0"]
    (row if key == "loss" else row["teacher"])[key] = None
    figure = fidelity.before_and_after(record)
    assert tick_names(figure.axes[0].yaxis) == ["peer_1 after peer_1", "peer_1 after mutual"]


def test_binary_cross_entropy_is_named():
    label = fidelity.before_and_after(data.two_phase(multi_label=True)).axes[1].get_xlabel()
    assert label.startswith("Binary cross-entropy")


@pytest.mark.parametrize("records", [[TWO], [MANY, TWO]], ids=["two", "many"])
def test_compression_shows_megabytes_and_the_share_of_the_teacher(records):
    figure = size.compression(records)
    assert bars(figure.axes[0])[-4:] == pytest.approx([5.31, 0.0879, 0.0879, 0.0879])
    assert {"5.31", "0.0879 (1.65 % of the teacher)"} <= set(words(figure))
    assert_readable(figure)


@pytest.mark.parametrize("record", [TWO, MANY], ids=["two", "many"])
def test_throughput_has_whiskers_to_the_90th_percentile(record):
    figure = size.throughput([record])
    fast, slow = figure.axes
    assert bars(fast)[0] == 3456
    assert bars(slow)[:2] == pytest.approx([3.1, 0.42])
    assert whiskers(slow)[:2] == [(3.1, 3.9), (0.42, 0.55)]
    assert fast.get_xlabel().replace("\n", " ") == "Images per second batches of 256 on 1 x cpu"
    assert_readable(figure)


def test_devices_that_differ_stand_in_the_labels():
    figure = size.throughput([TWO, TWO | {"device": "8 x gpu"}])
    assert figure.axes[0].get_xlabel() == "Images per second"
    names = [name.replace("\n", " ") for name in tick_names(figure.axes[0].yaxis)]
    assert names[1] == "two (1): peer_0, batches of 256 on 1 x cpu"
    assert names[5] == "two (2): peer_0, batches of 256 on 8 x gpu"
    assert_readable(figure)


def test_no_costs_no_figure():
    for draw in (size.compression, size.throughput, size.size_against_accuracy):
        assert draw([ONE]) is None
