"""Crops, flips and cutout against NumPy slices and Pillow."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from kdjax.step.augment import geometry

RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(size=(6, 8, 3)).astype(np.float32)
QUICK = {"xla_backend_optimization_level": 0}
"""Most of the time of these tests is compilation."""
COUNT = 4000
ROWS, COLUMNS = np.mgrid[:16, :32].astype(np.float32)


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICK)
def _draws(transform, image, keys, settings):
    return jax.vmap(lambda key: transform(image, key, **settings))(keys)


def draws(transform, image, count, **settings):
    """`[count, h, w, c]`: one result for each of `count` keys; the settings are traced."""
    keys = jax.random.split(jax.random.key(0), count)
    return np.asarray(_draws(transform, image, keys, settings))


def pillow(image, box, size):
    """Each channel, in float32."""
    channels = [
        Image.fromarray(channel).resize(size[::-1], Image.Resampling.BILINEAR, box=box)
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.stack(channels, axis=-1)


def boxes(**settings):
    """Corners and sides `[COUNT, 2]` of the boxes drawn, read off a 16x32 image of coordinates."""
    coordinates = np.stack([ROWS, COLUMNS], axis=-1)
    drawn = draws(geometry.resized_crop, coordinates, COUNT, **settings)
    # Far from the border, where bilinear weights extrapolate nothing.
    rows, columns = drawn[:, :, 16, 0], drawn[:, 8, :, 1]
    step = np.stack([rows[:, 9] - rows[:, 7], columns[:, 17] - columns[:, 15]], -1) / 2
    middle = np.stack([rows[:, 8], columns[:, 16]], -1)
    return middle + 0.5 - np.array([8.5, 16.5]) * step, step * np.array([16, 32])


@pytest.mark.parametrize(
    ("left", "upper", "right", "lower"),
    [(0, 0, 8, 6), (2, 1, 5, 6), (1.3, 0.4, 7.9, 3.1)],
)
def test_a_box_is_resampled_as_pillow_does(left, upper, right, lower):
    corner, sides = jnp.float32([upper, left]), jnp.float32([lower - upper, right - left])
    ours = jax.jit(geometry.resample)(IMAGE, corner, sides)
    np.testing.assert_allclose(ours, pillow(IMAGE, (left, upper, right, lower), (6, 8)), atol=1e-5)


def test_what_shrinks_is_antialiased_as_in_pillow():
    image = RNG.uniform(size=(24, 24, 1)).astype(np.float32)
    # A box beyond the image on all sides: the pixels well inside it know nothing of the border.
    ours = jax.jit(geometry.resample)(image, jnp.float32([-12, -12]), jnp.float32([48, 48]))
    padded = np.pad(image, ((12, 12), (12, 12), (0, 0)))
    theirs = pillow(padded, (0, 0, 48, 48), (24, 24))
    np.testing.assert_allclose(ours[7:17, 7:17], theirs[7:17, 7:17], atol=1e-5)
    assert np.abs(theirs[7:17, 7:17] - padded[15:34:2, 15:34:2]).max() > 0.2


def test_the_whole_box_is_the_image():
    image = RNG.uniform(size=(16, 32, 2)).astype(np.float32)
    drawn = draws(geometry.resized_crop, image, COUNT, scale=(1.0, 1.0), ratio=(2.0, 2.0))
    np.testing.assert_allclose(drawn, np.broadcast_to(image, drawn.shape), atol=1e-6)


def test_share_ratio_and_place_of_resized_crops():
    corner, sides = boxes(scale=(0.1, 0.4), ratio=(0.9, 4.0))
    place = corner / (np.array([16, 32]) - sides)
    drawn = {
        "share": (sides.prod(-1) / (16 * 32) - 0.1) / 0.3,
        "log ratio": np.log(sides[:, 1] / sides[:, 0] / 0.9) / np.log(4.0 / 0.9),
        "row": place[:, 0],
        "column": place[:, 1],
    }
    for name, values in drawn.items():
        quantiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
        np.testing.assert_allclose(quantiles, [0, 0.25, 0.5, 0.75, 1], atol=0.04, err_msg=name)
    np.testing.assert_allclose(np.corrcoef(list(drawn.values())), np.eye(4), atol=0.06)


def test_a_side_that_does_not_fit_is_cut_and_the_other_kept():
    corner, sides = boxes(scale=(0.5, 0.5), ratio=(8.0, 8.0))
    # sqrt(256 * 8) = 45 columns and sqrt(256 / 8) = 5.7 rows.
    np.testing.assert_allclose(sides, np.broadcast_to([np.sqrt(32), 32], (COUNT, 2)), atol=1e-3)
    np.testing.assert_allclose(corner[:, 1], 0, atol=1e-3)
    assert corner[:, 0].min() >= -1e-3
    assert (corner + sides)[:, 0].max() <= 16 + 1e-3


@pytest.mark.parametrize(("mode", "numpy_mode"), [("zeros", "constant"), ("reflect", "reflect")])
def test_a_shift_is_a_slice_of_the_padded_image(mode, numpy_mode):
    pad = 2
    padded = np.pad(IMAGE, ((pad, pad), (pad, pad), (0, 0)), mode=numpy_mode)
    slices = np.stack([padded[r : r + 6, c : c + 8] for r in range(5) for c in range(5)])
    drawn = draws(functools.partial(geometry.shift, pad=pad, mode=mode), IMAGE, 500)
    which = (drawn[:, None] == slices).all((2, 3, 4))
    np.testing.assert_array_equal(which.sum(1), 1)
    assert which.sum(0).min() > 5  # of 20 expected: each of the 25 places, borders included


@pytest.mark.parametrize(("axis", "mirrored"), [(1, IMAGE[:, ::-1]), (0, IMAGE[::-1])])
def test_half_of_the_images_are_flipped(axis, mirrored):
    drawn = draws(functools.partial(geometry.flip, axis=axis), IMAGE, 1000)
    flipped = (drawn == mirrored).all((1, 2, 3))
    assert (flipped | (drawn == IMAGE).all((1, 2, 3))).all()
    assert 0.45 < flipped.mean() < 0.55


@pytest.mark.parametrize("side", [1, 3, 4, 20])
def test_cutout_fills_one_clipped_square_around_any_pixel(side):
    fill = np.float32([2, 3, 4])
    expected = []
    for row in range(6):
        for column in range(8):
            image = IMAGE.copy()
            top, left = row - side // 2, column - side // 2
            image[max(top, 0) : top + side, max(left, 0) : left + side] = fill
            expected.append(image)
    drawn = draws(geometry.cutout, IMAGE, 1500, side=side, fill=(2.0, 3.0, 4.0))
    which = (drawn[:, None] == np.stack(expected)).all((2, 3, 4))
    assert which.any(1).all()
    if side < 6:  # else several centres fill the same
        np.testing.assert_array_equal(which.sum(1), 1)
        assert which.sum(0).min() > 10  # of 31 expected: all 48 centres are as likely
    area = (drawn == fill).all(-1).sum((1, 2))
    assert area.max() == min(side, 6) * min(side, 8)
