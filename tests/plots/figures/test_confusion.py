"""Confusion matrices."""

import numpy as np
import pytest

from kdjax.plots.figures import confusion
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, tick_names, words


def cell_texts(axes):
    """By row and column."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def shades(axes):
    return np.ma.filled(axes.images[0].get_array(), np.nan)


@pytest.mark.parametrize("classes", [2, 10, 15])
def test_confusion_shades_shares_and_prints_counts(classes):
    record = data.two_phase(classes=classes)
    counts = np.asarray(record["networks"]["peer_0"]["confusion"])
    figure = confusion.draw(record, "peer_0")
    axes = figure.axes[0]
    assert shades(axes) == pytest.approx(100 * counts / counts.sum(axis=1, keepdims=True))
    assert cell_texts(axes) == {place: str(count) for place, count in np.ndenumerate(counts)}
    right = f"peer_0: {counts.trace():,} of {counts.sum():,} images right"
    assert right in words(figure)
    assert_readable(figure)


@pytest.mark.parametrize("classes", [16, 40])
def test_many_classes_have_names_and_the_largest_confusions(classes):
    record = data.two_phase(classes=classes)
    counts = np.asarray(record["networks"]["peer_0"]["confusion"])
    counts[3, 5], counts[5, 3], counts[0, 1] = 300, 200, 100
    record["networks"]["peer_0"]["confusion"] = counts.tolist()
    names = record["class_names"]
    figure = confusion.draw(record, "peer_0")
    axes = figure.axes[0]
    assert len(axes.texts) == 0
    assert len(tick_names(axes.xaxis)) == classes
    _, *largest = figure.get_suptitle().split("\n")
    assert [line.split(" of ")[0] for line in largest] == [
        f"{names[3]} taken for {names[5]}: 300",
        f"{names[5]} taken for {names[3]}: 200",
        f"{names[0]} taken for {names[1]}: 100",
    ]
    assert "square-root scale" in figure.axes[1].get_xlabel()
    assert_readable(figure)


def test_more_classes_than_names_fit():
    figure = confusion.draw(data.two_phase(classes=60), "peer_0")
    assert figure.axes[0].get_xlabel() == "Predicted class, by its number"
    assert_readable(figure)


def test_a_perfect_network_and_an_absent_class():
    record = data.two_phase(classes=16)
    counts = np.diag(np.arange(16))
    record["networks"]["peer_0"]["confusion"] = counts.tolist()
    figure = confusion.draw(record, "peer_0")
    assert figure.get_suptitle() == "peer_0: 120 of 120 images right"
    assert shades(figure.axes[0])[0, 0] == 0


def test_large_counts_fit_into_narrow_cells():
    record = data.two_phase(classes=15)
    counts = np.full((15, 15), 12_345)
    record["networks"]["peer_0"]["confusion"] = counts.tolist()
    figure = confusion.draw(record, "peer_0")
    assert set(cell_texts(figure.axes[0]).values()) == {"12k"}
    assert_readable(figure)


def test_examples_without_a_prediction_are_in_the_title():
    record = data.two_phase()
    record["networks"]["peer_0"]["without_prediction"] = 12
    counts = np.asarray(record["networks"]["peer_0"]["confusion"])
    title = confusion.draw(record, "peer_0").get_suptitle()
    assert title == (
        f"peer_0: {counts.trace():,} of {counts.sum() + 12:,} images right; 12 have no prediction "
        "(NaN logits)"
    )
