"""Mixing against the formulas of the papers in NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from kdjax.step.augment import mixing
from kdjax.step.types import Batch

QUICK = {"xla_backend_optimization_level": 0}
"""Most of the time of these tests is compilation."""
RNG = np.random.default_rng(0)
SIZE = (8, 16)
COUNT = 3000


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICK)
def _draws(transform, settings):
    keys = jax.random.split(jax.random.key(0), COUNT)
    return jax.vmap(lambda key: transform(key, SIZE, **settings))(keys)


def draws(transform, **settings):
    """`pixels` `[COUNT, h, w]` and `label` `[COUNT]`."""
    drawn = _draws(transform, settings)
    return np.asarray(drawn.pixels), np.asarray(drawn.label)


@jax.jit
def mix(batch, share):
    return mixing.mix(batch, share, classes=5)


def batch_of(label, mask=None):
    count = len(label)
    image = RNG.uniform(size=(count, 3, 4, 2)).astype(np.float32)
    mask = np.ones(count, np.float32) if mask is None else np.float32(mask)
    return Batch(*(jnp.asarray(part) for part in (image, label, np.arange(count), mask)))


def share_of(count):
    """Half of the examples keep a share of every pixel, half some of the pixels."""
    pixels = np.repeat(RNG.uniform(size=(count, 1)), 12, axis=1).reshape(count, 3, 4)
    pixels[::2] = RNG.integers(0, 2, size=pixels[::2].shape)
    pixels = pixels.astype(np.float32)
    return mixing.Share(jnp.asarray(pixels), jnp.asarray(pixels.mean((1, 2))))


def yuns_boxes(concentration):
    """The label's share as in the authors' `rand_bbox`, with odd sides not made even."""
    height, width = SIZE
    left = []
    for _ in range(COUNT):
        ratio = np.sqrt(1 - RNG.beta(concentration, concentration))
        kept = np.ones(SIZE)
        top = RNG.integers(height) - int(height * ratio) // 2
        start = RNG.integers(width) - int(width * ratio) // 2
        rows = slice(max(top, 0), max(top + int(height * ratio), 0))
        kept[rows, max(start, 0) : max(start + int(width * ratio), 0)] = 0
        left.append(kept.mean())
    return np.array(left)


@pytest.mark.parametrize("concentration", [0.2, 1.0, 4.0])
def test_mixup_keeps_a_beta_share_of_every_pixel(concentration):
    pixels, label = draws(mixing.mixup, concentration=concentration)
    np.testing.assert_array_equal(pixels, np.broadcast_to(label[:, None, None], pixels.shape))
    law = stats.beta(concentration, concentration)
    assert stats.kstest(label, law.cdf).pvalue > 0.01


@pytest.mark.parametrize("concentration", [0.5, 1.0])
def test_cutmix_keeps_all_but_a_box(concentration):
    pixels, label = draws(mixing.cutmix, concentration=concentration)
    assert set(np.unique(pixels)) == {0, 1}
    np.testing.assert_array_equal(label, (pixels == 1).sum((1, 2)) / np.float32(8 * 16))
    pasted = pixels == 0
    rows, columns = pasted.any(2), pasted.any(1)
    np.testing.assert_array_equal(pasted, rows[:, :, None] & columns[:, None])
    for side in (rows, columns):
        edges = np.diff(side.astype(int), axis=1, prepend=0, append=0)
        assert (np.abs(edges).sum(1) <= 2).all()
    # Boxes away from the border have the image's proportions, up to rounding.
    inner = ~(rows[:, 0] | rows[:, -1] | columns[:, 0] | columns[:, -1]) & rows.any(1)
    height, width = rows[inner].sum(1), columns[inner].sum(1)
    assert set(width - 2 * height) == {0, 1}
    assert set(height) >= {1, 2, 3, 4}
    assert pasted.any(0).all()
    assert stats.ks_2samp(label, yuns_boxes(concentration)).pvalue > 0.01


def test_cutmix_pastes_around_any_pixel_as_often():
    pixels, _ = draws(mixing.cutmix, concentration=1.0)
    single = pixels[(pixels == 0).any(2).sum(1) == 1]
    top = single[(single == 0).sum((1, 2)) <= 3].min(2).argmin(1)
    assert (np.bincount(top, minlength=8) / len(top)).min() > 0.05


def test_either_is_one_of_two_as_often():
    def draw(key, size):
        return mixing.either(
            key,
            mixing.Share(jnp.zeros(size), jnp.float32(0)),
            mixing.Share(jnp.ones(size), jnp.float32(1)),
        )

    pixels, label = draws(draw)
    np.testing.assert_array_equal(pixels, np.broadcast_to(label[:, None, None], pixels.shape))
    assert 0.46 < label.mean() < 0.54


@pytest.mark.parametrize("count", [6, 7])
@pytest.mark.parametrize("kind", ["classes", "probabilities", "attributes"])
def test_images_and_labels_are_mixed_with_the_reversed_batch(count, kind):
    labels = {
        "classes": RNG.integers(0, 5, count).astype(np.int32),
        "probabilities": RNG.dirichlet(np.ones(5), count).astype(np.float32),
        "attributes": RNG.integers(0, 2, (count, 5)).astype(np.int32),
    }
    label = labels[kind]
    batch, share = batch_of(label), share_of(count)
    mixed = mix(batch, share)
    table = np.eye(5)[label] if kind == "classes" else label
    for i in range(count):
        partner = count - 1 - i
        kept, image = np.asarray(share.pixels[i])[..., None], np.asarray(batch.image)
        expected = kept * image[i] + (1 - kept) * image[partner]
        np.testing.assert_allclose(mixed.image[i], expected, atol=1e-6)
        part = np.asarray(share.label[i])
        expected = part * table[i] + (1 - part) * table[partner]
        np.testing.assert_allclose(mixed.label[i], expected, atol=1e-6)
    assert mixed.label.dtype == mixed.image.dtype == jnp.float32
    assert mixed.label.shape == (count, 5)
    if kind != "attributes":
        np.testing.assert_allclose(mixed.label.sum(-1), 1, atol=1e-6)
    if count % 2:
        np.testing.assert_allclose(mixed.image[count // 2], batch.image[count // 2], atol=1e-6)
    np.testing.assert_array_equal(mixed.id, batch.id)
    np.testing.assert_array_equal(mixed.mask, batch.mask)


def test_nothing_is_taken_from_padding():
    batch = batch_of(np.int32([0, 1, 2, 3, 0, 4]), mask=[1, 1, 1, 1, 1, 0])
    mixed = mix(batch, share_of(6))
    np.testing.assert_array_equal(mixed.image[0], batch.image[0])
    np.testing.assert_array_equal(mixed.label[0], np.eye(5)[0])
    assert (np.asarray(mixed.image[1]) != np.asarray(batch.image[1])).any()
