"""Training curves: every value of the log is in its panel, and stages are told apart."""

import numpy as np
import pytest

from kdjax.plots.figures import training
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, words

PEERS = {"peer_0": ["peer_0"], "peer_1": ["peer_1"], "mutual": ["peer_0", "peer_1"]}


def panel(figure, label):
    (found,) = [axes for axes in figure.axes if axes.get_ylabel().replace("\n", " ") == label]
    return found


def line(axes, name):
    (found,) = [line for line in axes.lines if line.get_label() == name]
    return found


def test_panels_of_a_run_of_three_stages():
    rows = data.log(PEERS)
    figure = training.draw(rows)
    assert [axes.get_ylabel().replace("\n", " ") for axes in figure.axes] == [
        "Loss (terms unweighted)",
        "Accuracy (%) thin: training",
        "Validation loss (nats)",
        "Weight (means between points)",
        "Temperature (means between points)",
        "Learning rate (means between points)",
    ]
    loss = line(panel(figure, "Loss (terms unweighted)"), "ce_peer_0")
    logged = [(row["step"], row["train/ce_peer_0"]) for row in rows if "train/ce_peer_0" in row]
    kept = ~np.isnan(loss.get_ydata())
    assert list(zip(loss.get_xdata()[kept], loss.get_ydata()[kept], strict=True)) == logged
    # Between its two stages the line is broken.
    assert (~kept).sum() == 1
    assert figure.axes[-1].get_xlabel() == "Optimiser step"
    assert {"peer_0", "mutual"} <= set(words(figure))
    assert_readable(figure)


def test_accuracies_are_in_percent_and_validation_is_thicker():
    rows = data.log({"peers": ["peer_0"]})
    axes = panel(training.draw(rows), "Accuracy (%) thin: training")
    thin, thick = axes.lines
    assert thin.get_ydata()[-1] == pytest.approx(100 * rows[-2]["train/peer_0/accuracy"])
    assert thick.get_ydata()[-1] == pytest.approx(100 * rows[-1]["val/peer_0/accuracy"])
    assert thin.get_linewidth() < thick.get_linewidth()
    assert thin.get_color() == thick.get_color()
    assert thick.get_marker() == "o"


def test_a_single_point_of_training_is_open_and_one_of_validation_filled():
    rows = [
        {"step": 10, "stage": "s", "train/loss": 1.0, "train/net/accuracy": 0.5},
        {"step": 10, "stage": "s", "val/net/accuracy": 0.6, "val/net/loss": 1.0},
    ]
    axes = panel(training.draw(rows), "Accuracy (%) open, thin: training")
    shown = [line for line in axes.lines if line.get_linestyle() == "None"]
    filled = {line.get_ydata()[0]: line.get_fillstyle() for line in shown}
    assert filled == {50: "none", 60: "full"}


def test_without_validation_training_is_in_the_legend():
    axes = panel(training.draw(data.log(PEERS, validation=False)), "Accuracy (%)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["peer_0", "peer_1"]


def test_stages_begin_where_the_last_one_ended():
    figure = training.draw(data.log(PEERS, scheduled=False))
    for axes in figure.axes:
        upright = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1]
        assert sorted(upright) == [1000, 2000]


def test_flags_take_the_lowest_free_level():
    """The second flag is not at level 0, where the third flag's pole would go through it."""
    ends = {"first, of a long name": 40, "second, of a long name": 45, "third": 200, "last": 300}
    rows = [{"step": end, "stage": name, "train/ce": 1.0} for name, end in ends.items()]
    texts = training.draw(rows).axes[0].texts
    heights = [text.xyann[1] for text in texts if text.get_text()]
    assert [(height - heights[0]) / 11 for height in heights] == [0, 0, 1, 2]


def test_one_stage_has_no_flag():
    assert "alone" not in words(training.draw(data.log({"alone": ["net"]})))


@pytest.mark.parametrize(("fall", "scale"), [(1.4, "linear"), (1.6, "log")])
def test_losses_of_more_than_one_and_a_half_decades_have_a_logarithmic_axis(fall, scale):
    rows = [
        {"step": step, "stage": "s", "train/ce": value, "train/loss": value}
        for step, value in ((1, 1.0), (2, 10**-fall))
    ]
    assert training.draw(rows).axes[0].get_yscale() == scale


def test_a_negative_term_beside_a_logarithmic_axis_has_its_own_panel():
    rows = [
        {"step": step, "stage": "s", "train/ce": 10.0**-step, "train/attention": -step / 5}
        for step in range(1, 4)
    ]
    first, second = training.draw(rows).axes
    assert first.get_yscale() == "log"
    assert [line.get_label() for line in first.lines] == ["ce"]
    assert second.get_yscale() == "linear"
    assert list(line(second, "attention").get_ydata()) == [-0.2, -0.4, -0.6]
    assert_readable(training.draw(rows))


def accuracies(values, more=()):
    """Rows of one network's training and of another's validation."""
    rows = [
        {"step": step, "stage": "s", "train/loss": 1.0, "train/net/accuracy": value}
        for step, value in enumerate(values, start=1)
    ]
    return rows + [
        {"step": step, "stage": "s", "val/low/accuracy": value, "val/low/loss": 1.0}
        for step, value in more
    ]


def of_kind(figure, kind):
    (found,) = [axes for axes in figure.axes if axes.get_ylabel().startswith(kind)]
    return found


def test_no_accuracy_leaves_the_panel_unless_all_others_would_look_flat():
    """A network that is the worst throughout is in it, however many others are better."""
    rows = accuracies(np.linspace(0.5, 0.99, 40), [(20, 0.4), (40, 0.41)])
    axes = of_kind(training.draw(rows), "Accuracy")
    assert axes.get_ylim()[0] < 40
    assert "outside" not in axes.get_ylabel()


def test_what_lies_outside_is_counted():
    rows = accuracies([0.1, 0.2, *np.linspace(0.97, 0.99, 60)])
    figure = training.draw(rows)
    axes = of_kind(figure, "Accuracy")
    low, high = axes.get_ylim()
    assert 20 < low < 97
    assert high > 99
    assert axes.get_ylabel().replace("\n", " ").endswith("points outside: 2 below")
    assert_readable(figure)


def test_one_validation_loss_does_not_flatten_the_others():
    losses = [0.9, 0.7, 0.5, 0.4, 295.0, 0.35, 0.34, 0.33, 0.32, 0.31]
    rows = [
        {"step": step, "stage": "s", "val/net/accuracy": 0.9, "val/net/loss": loss}
        for step, loss in enumerate(losses, start=1)
    ]
    axes = of_kind(training.draw(rows), "Validation loss")
    assert axes.get_ylabel().replace("\n", " ").endswith("points outside: 1 above")
    low, high = axes.get_ylim()
    assert low < 0.31
    assert 0.9 < high < 3
    # Where it is the last one, it is what the run ends with.
    rows[4]["val/net/loss"], rows[-1]["val/net/loss"] = 0.33, 295.0
    axes = of_kind(training.draw(rows), "Validation loss")
    assert axes.get_ylim()[1] > 295
    assert axes.get_yscale() == "log"


def test_a_stage_of_one_point_is_drawn():
    rows = [
        {"step": 10, "stage": "teacher", "train/ce": 1.0, "train/learning_rate": 0.1},
        {"step": 20, "stage": "student", "train/ce": 0.5, "train/learning_rate": 0.1},
        {"step": 21, "stage": "student", "train/ce": 0.4, "train/learning_rate": 0.1},
    ]
    for axes in training.draw(rows).axes:
        dots = [one for one in axes.lines if one.get_linestyle() == "None"]
        assert [list(one.get_xdata()) for one in dots] == [[10]]
        assert all(one.get_marker() not in ("", "None") for one in dots)


def test_equal_schedules_are_one_line():
    figure = training.draw(data.log({"peers": ["peer_0", "peer_1", "peer_2"]}))
    axes = panel(figure, "Weight (means between points)")
    assert [line.get_label() for line in axes.lines] == ["soft_peer_0 and 2 more"]


def test_a_network_looks_alike_in_all_panels_and_terms_differ_in_dashes():
    figure = training.draw(data.log(PEERS))
    loss, accuracy = figure.axes[:2]
    assert line(loss, "ce_peer_1").get_color() == line(accuracy, "peer_1").get_color()
    assert line(loss, "ce_peer_1").get_marker() == line(accuracy, "peer_1").get_marker()
    assert line(loss, "ce_peer_1").get_linestyle() != line(loss, "soft_peer_1").get_linestyle()
    assert line(loss, "ce_peer_1").get_color() != line(loss, "ce_peer_0").get_color()


@pytest.mark.parametrize(
    "stages",
    [{"peers": data.LONG, "baseline": ["baseline"]}, {name: [name] for name in data.LONG}],
    ids=["together", "in turn"],
)
def test_twelve_networks(stages):
    assert_readable(training.draw(data.log(stages)))


def test_a_run_that_logged_nothing():
    assert training.draw([]) is None
