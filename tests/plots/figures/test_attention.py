"""Attention maps beside images."""

import numpy as np
import pytest

from kdjax.plots.figures import attention
from tests.plots.figures import data
from tests.plots.figures.drawn import assert_readable, words

WORDS = ["cat", "dog", "Permanent Crop Land"]


def example(networks, layers=("block_1",), *, count=3, channels=1):
    """Every network is right but the last one, on the second image."""
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(count, 8, 12, channels))
    maps = {(n, layer): rng.uniform(size=(count, 2, 3)) for n in networks for layer in layers}
    truth = [WORDS[place % 3] for place in range(count)]
    predictions = {
        name: [attention.Answer(f"{label}: 87 %", True) for label in truth] for name in networks
    }
    predictions[networks[-1]][1] = attention.Answer("bird: 51 %", False)
    return images, maps, predictions, truth


@pytest.mark.parametrize("channels", [1, 3])
def test_a_row_an_image_and_a_column_a_map(channels):
    images, maps, predictions, truth = example(["peer_0", "peer_1"], ("a", "b"), channels=channels)
    figure = attention.draw(images, maps, predictions, truth)
    *panels, _ = figure.axes
    assert len(panels) == 3 * 5
    assert [panel.get_title("center") for panel in panels[:5]] == [
        "image,\ntrue label",
        "peer_0\na",
        "peer_0\nb",
        "peer_1\na",
        "peer_1\nb",
    ]
    assert [panel.get_xlabel().replace("\n", " ") for panel in panels[::5]] == truth
    grey, over = panels[6].images
    assert grey.get_array().shape == (8, 12)
    assert np.array_equal(over.get_array(), maps["peer_0", "a"][1])
    assert list(over.get_extent()) == list(grey.get_extent()) == [-0.5, 11.5, 7.5, -0.5]
    assert over.norm.vmax == maps["peer_0", "a"][1].max()
    assert over.norm.vmin == 0
    assert_readable(figure)


def test_wrong_answers_have_a_cross_and_a_dashed_frame():
    figure = attention.draw(*example(["peer_0", "peer_1"]))
    panels = figure.axes[:-1]
    marked = [place for place, panel in enumerate(panels) if "✗" in panel.get_xlabel()]
    dashed = [
        place for place, panel in enumerate(panels) if panel.spines["top"].get_linestyle() == "--"
    ]
    assert marked == dashed == [5]
    assert panels[5].get_xlabel() == "✗ bird: 51 %"
    assert panels[1].get_xlabel() == "cat: 87 %"


def test_answers_that_are_neither_right_nor_wrong_have_no_frame():
    images, maps, *_ = example(["peer_0"])
    answers = {"peer_0": [attention.Answer("38 of 40 right", None)] * 3}
    figure = attention.draw(images, maps, answers, ["has 9 of 40"] * 3)
    assert all(panel.spines["top"].get_linestyle() != "--" for panel in figure.axes[:-1])
    assert not any("✗" in word for word in words(figure))


def test_missing_maps_are_left_out():
    images, maps, predictions, truth = example(["peer_0", "peer_1"], ("a", "b"))
    del maps["peer_0", "b"]
    figure = attention.draw(images, maps, predictions, truth)
    assert len(figure.axes) == 3 * 4 + 1


def test_twelve_networks_go_on_in_further_blocks():
    images, maps, predictions, truth = example(data.LONG, count=2, channels=3)
    figure = attention.draw(images, maps, predictions, truth)
    # Two blocks of the two images, and a bar of shades.
    assert len(figure.axes) == 2 * 12 + 2 * 2 + 1
    assert words(figure).count("image,\ntrue label") == 2
    assert_readable(figure)


def test_a_map_of_zeros():
    images, maps, predictions, truth = example(["peer_0"])
    maps["peer_0", "block_1"][:] = 0
    assert_readable(attention.draw(images, maps, predictions, truth))


def test_nothing_to_draw():
    images, maps, predictions, truth = example(["peer_0"])
    assert attention.draw(images, {}, predictions, truth) is None
    assert attention.draw(images[:0], maps, predictions, truth) is None
