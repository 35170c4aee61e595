"""Measures of drawn images, against images that are drawn by rule."""

import numpy as np
import pytest

from kdjax.app import drawing
from kdjax.data.sources import digits
from kdjax.data.types import Request


def crosses(size, arm, width, *, row, column, paper=0, ink=255):
    """Eight equal images of a cross with arms of so many pixels, centred at `row` and `column`."""
    image = np.full((size, size), paper, np.uint8)
    half, w = arm // 2, width // 2
    image[row - half : row + half, column - w : column + w] = ink
    image[row - w : row + w, column - half : column + half] = ink
    return np.repeat(image[None, :, :, None], 8, axis=0)


@pytest.mark.parametrize(("paper", "ink"), [(0, 255), (255, 0)])
def test_a_cross_has_its_own_measures(paper, ink):
    images = crosses(40, 20, 2, row=22, column=18, paper=paper, ink=ink)
    measures = drawing.describe(images)
    assert (measures["paper"], measures["ink"], measures["extent"]) == (paper, ink, 0.5)
    assert measures["centre"] == pytest.approx([22 / 40, 18 / 40])
    # Lines along the axes have no longer edges than their outline.
    assert measures["stroke"] == pytest.approx(2 / 20 * 4 / np.pi, rel=0.15)


def test_embedded_digits_are_drawings_as_high_as_the_image():
    data = digits.read(Request("", "", 16, 1, False))
    measures = drawing.describe(data.splits["train"].image.read())
    assert (measures["paper"], measures["ink"], measures["extent"]) == (0, 255, 1)
    assert measures["centre"] == pytest.approx([0.5, 0.5], abs=0.02)


def test_photographs_are_no_drawings():
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
    assert drawing.describe(noise) is None
    assert drawing.describe(np.zeros((4, 28, 28, 1), np.uint8)) is None
    assert drawing.describe(np.repeat(crosses(28, 20, 2, row=14, column=14), 3, axis=-1)) is None
    assert drawing.describe(crosses(96, 60, 6, row=48, column=48)) is None
