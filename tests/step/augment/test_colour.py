"""Colour jitter against NumPy and colorsys."""

import colorsys
import functools

import jax
import numpy as np
import pytest

from kdjax.step.augment import colour

COUNT = 400
QUICK = {"xla_backend_optimization_level": 0}
"""Most of the time of these tests is compilation."""
IMAGE = np.random.default_rng(0).uniform(size=(4, 5, 3)).astype(np.float32)


@functools.partial(jax.jit, static_argnums=(0, 2), compiler_options=QUICK)
def _draws(transform, image, settings):
    keys = jax.random.split(jax.random.key(0), COUNT)
    return jax.vmap(lambda key: transform(image, key, **dict(settings)))(keys)


def draws(transform, image, **settings):
    """`[COUNT, h, w, c]`: one result for each of as many keys."""
    return np.asarray(_draws(transform, image, tuple(settings.items())))


def hsv(image):
    return np.apply_along_axis(lambda pixel: colorsys.rgb_to_hsv(*pixel), -1, image)


def rgb(image):
    return np.apply_along_axis(lambda pixel: colorsys.hsv_to_rgb(*pixel), -1, image)


def assert_fills(values, low, high):
    """Uniform between the bounds, as far as its range and quartiles say."""
    assert low - 1e-3 <= values.min()
    assert values.max() <= high + 1e-3
    quantiles = (np.quantile(values, [0, 0.25, 0.5, 0.75, 1]) - low) / (high - low)
    np.testing.assert_allclose(quantiles, [0, 0.25, 0.5, 0.75, 1], atol=0.08)


@pytest.mark.parametrize(("strength", "low", "channels"), [(0.4, 0.6, 3), (1.5, 0.0, 1)])
def test_brightness_multiplies(strength, low, channels):
    image = IMAGE[..., :channels] * 0.4
    drawn = draws(colour.brightness, image, strength=strength)
    factor = drawn[:, 0, 0, 0] / image[0, 0, 0]
    assert_fills(factor, low, 1 + strength)
    np.testing.assert_allclose(drawn, factor[:, None, None, None] * image, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_moves_each_channel_from_its_mean(channels):
    image = 0.4 + 0.2 * IMAGE[..., :channels]
    mean = image.mean((0, 1))
    drawn = draws(colour.contrast, image, strength=0.8)
    factor = (drawn - mean)[:, 0, 0, 0] / (image - mean)[0, 0, 0]
    assert_fills(factor, 0.2, 1.8)
    expected = factor[:, None, None, None] * (image - mean) + mean
    np.testing.assert_allclose(drawn, expected, atol=1e-4)


def test_saturation_is_that_of_colorsys():
    image = rgb(hsv(IMAGE) * np.float32([1, 0.9, 1])).astype(np.float32)
    image[0, 0] = (0.5, 0.6, 0.4)
    before = hsv(image)
    drawn = draws(colour.saturation, image, strength=0.7)
    factor = np.stack([hsv(pixel) for pixel in drawn[:, 0, 0]])[:, 1] / before[0, 0, 1]
    assert_fills(factor, 0.3, 1.7)
    for result, f in zip(drawn[:50], factor[:50], strict=True):
        after = np.stack([before[..., 0], np.minimum(f * before[..., 1], 1), before[..., 2]], -1)
        np.testing.assert_allclose(result, rgb(after), atol=1e-5)


@pytest.mark.parametrize("turns", [0.1, 0.5])
def test_hue_is_that_of_colorsys(turns):
    before = hsv(IMAGE)
    drawn = draws(colour.hue, IMAGE, turns=turns)
    after = np.stack([hsv(pixel) for pixel in drawn[:, 0, 0]])[:, 0]
    shift = (after - before[0, 0, 0] + 0.5) % 1 - 0.5
    assert_fills(shift, -turns, turns)
    for result, s in zip(drawn[:50], shift[:50], strict=True):
        expected = rgb(np.stack([(before[..., 0] + s) % 1, before[..., 1], before[..., 2]], -1))
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_grey_stays_grey():
    image = np.linspace(0, 1, 60, dtype=np.float32).reshape(4, 5, 3)
    image[:] = image[..., :1]
    for transform, settings in (
        (colour.saturation, {"strength": 0.7}),
        (colour.hue, {"turns": 0.5}),
    ):
        drawn = draws(transform, image, **settings)
        np.testing.assert_allclose(drawn, np.broadcast_to(image, drawn.shape), atol=1e-6)


def test_results_are_clipped():
    bright = draws(colour.brightness, np.sqrt(IMAGE), strength=1.5)
    assert bright.max() == 1
    stark = draws(colour.contrast, IMAGE, strength=0.8)
    assert stark.max() == 1
    assert stark.min() == 0
