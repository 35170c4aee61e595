"""Heat maps: agreement, confusion, and the search over alpha and temperature."""

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from kdjax.plots.figures import cells, confusion, fidelity, grid
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, tick_names, words

TWO = data.two_phase()


def shades(axes):
    return np.ma.filled(axes.images[0].get_array(), np.nan)


def cell_texts(axes):
    """By row and column."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def test_agreement_has_every_pair_in_the_records_order():
    figure = fidelity.agreement(TWO)
    axes = figure.axes[0]
    matrix = np.asarray(TWO["agreement"]["matrix"])
    assert shades(axes) == pytest.approx(100 * matrix)
    texts = cell_texts(axes)
    assert all(texts[place, place] == "100" for place in range(6))
    assert texts[0, 2] == texts[2, 0] == f"{100 * matrix[0, 2]:.1f}"
    assert tick_names(axes.xaxis) == tick_names(axes.yaxis) == list(TWO["networks"])
    assert_readable(figure)


def test_long_names_become_numbers_under_the_columns():
    figure = fidelity.agreement(data.many())
    axes = figure.axes[0]
    assert tick_names(axes.xaxis) == [str(place) for place in range(1, 15)]
    assert tick_names(axes.yaxis)[0] == "1 teacher"
    assert_readable(figure)


@pytest.mark.parametrize(("peers", "networks"), [(7, 16), (12, 26)])
def test_agreement_of_more_than_fifteen_is_in_whole_percents_where_there_is_no_room(
    peers, networks
):
    record = data.two_phase(peers)
    figure = fidelity.agreement(record)
    matrix = 100 * np.asarray(record["agreement"]["matrix"])
    texts = cell_texts(figure.axes[0])
    assert len(texts) == networks**2
    whole = networks > 20
    assert texts[0, 1] == f"{matrix[0, 1]:.{0 if whole else 1}f}"
    assert texts[0, 0] == ("" if whole else "100")
    assert_readable(figure)


def test_shades_of_agreement_reach_100_percent():
    record = data.two_phase()
    norm = fidelity.agreement(record).axes[0].images[0].norm
    assert norm.vmax == 100
    assert norm.vmin == pytest.approx(100 * np.min(record["agreement"]["matrix"]))


def test_agreement_needs_two_networks():
    assert fidelity.agreement(data.one()) is None


def test_agreement_of_equal_networks():
    record = data.two_phase()
    record["agreement"]["matrix"] = np.ones((6, 6)).tolist()
    assert_readable(fidelity.agreement(record))


@pytest.mark.parametrize("classes", [2, 10, 15])
def test_confusion_shades_shares_and_prints_counts(classes):
    record = data.two_phase(classes=classes)
    counts = np.asarray(record["networks"]["peer_0"]["confusion"])
    figure = confusion.matrix(record, "peer_0")
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
    figure = confusion.matrix(record, "peer_0")
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
    figure = confusion.matrix(data.two_phase(classes=60), "peer_0")
    assert figure.axes[0].get_xlabel() == "Predicted class, by its number"
    assert_readable(figure)


def test_a_perfect_network_and_an_absent_class():
    record = data.two_phase(classes=16)
    counts = np.diag(np.arange(16))
    record["networks"]["peer_0"]["confusion"] = counts.tolist()
    figure = confusion.matrix(record, "peer_0")
    assert figure.get_suptitle() == "peer_0: 120 of 120 images right"
    assert shades(figure.axes[0])[0, 0] == 0


def test_large_counts_fit_into_narrow_cells():
    record = data.two_phase(classes=15)
    counts = np.full((15, 15), 12_345)
    record["networks"]["peer_0"]["confusion"] = counts.tolist()
    figure = confusion.matrix(record, "peer_0")
    assert set(cell_texts(figure.axes[0]).values()) == {"12k"}
    assert_readable(figure)


def test_examples_without_a_prediction_are_in_the_title():
    record = data.two_phase()
    record["networks"]["peer_0"]["without_prediction"] = 12
    counts = np.asarray(record["networks"]["peer_0"]["confusion"])
    title = confusion.matrix(record, "peer_0").get_suptitle()
    assert title == (
        f"peer_0: {counts.trace():,} of {counts.sum() + 12:,} images right; 12 have no prediction "
        "(NaN logits)"
    )


@pytest.mark.parametrize("row", ["nobody", "peer_0"])
def test_no_confusion_matrix(row):
    with pytest.raises(ValueError, match=f"no confusion matrix of '{row}' in runs/two"):
        confusion.matrix(data.two_phase(multi_label=True), row)


def test_search_is_ascending_and_its_best_cell_is_framed():
    figure = grid.alpha_temperature(data.trials())
    axes = figure.axes[0]
    alphas, temperatures = [0.1, 0.5, 0.9, 1.0], [1.0, 2.0, 4.0, 8.0, 20.0]
    expected = [
        [98 - abs(alpha - 0.5) - 0.1 * abs(temperature - 4) for temperature in temperatures]
        for alpha in alphas
    ]
    assert shades(axes) == pytest.approx(np.asarray(expected))
    assert tick_names(axes.yaxis) == ["0.1", "0.5", "0.9", "1"]
    assert tick_names(axes.xaxis) == ["1", "2", "4", "8", "20"]
    assert not axes.yaxis_inverted()
    assert cell_texts(axes)[1, 2] == "98.00"
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert {(int(f.get_x() + 0.5), int(f.get_y() + 0.5)) for f in frames} == {(2, 1)}
    assert axes.get_title("left").startswith("Accuracy on the validation split (%)\none seed")
    assert_readable(figure)


def test_seeds_are_averaged_and_counted():
    figure = grid.alpha_temperature(data.trials((0, 10, 20)), split="test")
    axes = figure.axes[0]
    assert shades(axes)[1, 2] == pytest.approx(98.01)
    assert cell_texts(axes)[1, 2] == "98.01"
    title = axes.get_title("left")
    # No setting is the best by its test accuracy.
    assert title == "Accuracy on the test split (%)\nmean of 3 seeds"
    assert not axes.patches


def test_missing_cells_are_hatched_and_uneven_counts_are_in_brackets():
    missing = [(0.9, 1.0), (0.1, 20.0)]
    trials = data.trials(missing=missing) + data.trials((100,), missing=[*missing, (0.5, 4.0)])
    figure = grid.alpha_temperature(trials)
    axes = figure.axes[0]
    assert np.isnan(shades(axes)).sum() == 2
    hatched = [patch for patch in axes.patches if patch.get_hatch()]
    assert [tuple(patch.get_xy()[0]) for patch in hatched] == [(3.5, -0.5), (-0.5, 1.5)]
    texts = cell_texts(axes)
    assert (2, 0) not in texts
    assert texts[1, 2] == "98.00 (1)"
    assert texts[0, 0].endswith("(2)")
    assert axes.get_title("left").endswith("framed: the best; hatched: not tried")
    assert_readable(figure)


def test_a_search_of_one_cell_and_of_none():
    figure = grid.alpha_temperature([{"alpha": 0.5, "temperature": 4, "accuracy": 0.98}])
    assert shades(figure.axes[0]).tolist() == [[98.0]]
    assert_readable(figure)
    assert grid.alpha_temperature([]) is None


def test_numbers_contrast_with_their_cells():
    shown = colormaps["cividis"]
    assert cells.contrast(shown, 0.0) == "white"
    assert cells.contrast(shown, 1.0) == "black"
    for place in np.linspace(0, 1, 101):
        red, green, blue = np.asarray(shown(place)[:3]) ** 2.2
        light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        ratio = (
            (light + 0.05) / 0.05
            if cells.contrast(shown, place) == "black"
            else 1.05 / (light + 0.05)
        )
        assert ratio > 4.5
