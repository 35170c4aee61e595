"""Likeness to the teacher before and after a later stage."""

import pytest

from kdjax.plots.figures import likeness
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, bars, tick_names

TWO = data.two_phase()


def figures(record, *rows):
    return [record["networks"][row] for row in rows]


def test_fidelity_has_three_panels():
    figure = likeness.draw_record(TWO)
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
    axes = likeness.draw_record(record).axes[2]
    rows = figures(record, "peer_0 after peer_0", "peer_0", "peer_1 after peer_1", "peer_1")
    assert bars(axes) == pytest.approx([row["teacher"]["logit_cosine"] for row in rows])
    assert "logits" in axes.get_xlabel()


def test_fidelity_is_none_without_a_teacher():
    record = data.two_phase()
    for row in record["networks"].values():
        row["teacher"] = None
    assert likeness.draw_record(record) is None


@pytest.mark.parametrize("key", ["loss", "kl"])
def test_networks_without_numbers_are_left_out(key):
    record = data.two_phase()
    row = record["networks"]["peer_0"]
    (row if key == "loss" else row["teacher"])[key] = None
    figure = likeness.draw_record(record)
    assert tick_names(figure.axes[0].yaxis) == ["peer_1 after peer_1", "peer_1 after mutual"]


def test_binary_cross_entropy_is_named():
    label = likeness.draw_record(data.two_phase(multi_label=True)).axes[1].get_xlabel()
    assert label.replace("\n", " ").startswith("Binary cross-entropy")


@pytest.mark.parametrize(
    "record", [data.many(), data.two_phase(12)], ids=["long names", "12 peers"]
)
def test_likeness_of_many(record):
    assert_readable(likeness.draw_record(record))
