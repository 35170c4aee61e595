"""Transforms together: their order, their keys, and what is left alone."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kdjax.step import augment
from kdjax.step.types import Batch

OFF = {
    "classes": 10,
    "mean": (0.1, 0.2, 0.3),
    "pad": 0,
    "pad_mode": "reflect",
    "flip": False,
    "flip_vertical": False,
    "crop_scale": (1.0, 1.0),
    "crop_ratio": (1.0, 1.0),
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.0,
    "cutout": 0,
    "mixup": 0.0,
    "cutmix": 0.0,
}
ON: dict[str, dict[str, Any]] = {
    "crop": {"crop_scale": (0.3, 1.0), "crop_ratio": (0.75, 1.5)},
    "pad": {"pad": 2},
    "flip": {"flip": True},
    "flip_vertical": {"flip_vertical": True},
    "brightness": {"brightness": 0.5},
    "contrast": {"contrast": 0.5},
    "saturation": {"saturation": 0.5},
    "hue": {"hue": 0.3},
    "cutout": {"cutout": 3},
    "mixup": {"mixup": 1.0},
    "cutmix": {"cutmix": 1.0},
}
"""In the order in which they are applied."""
COUNT = 8
RNG = np.random.default_rng(0)
BATCH = Batch(
    image=RNG.uniform(size=(COUNT, 8, 8, 3)).astype(np.float32),
    label=np.arange(COUNT, dtype=np.int32),
    id=np.array([3, 500, 7, 0, 59_999, 12, 13, 14], np.int32),
    mask=np.ones(COUNT, np.float32),
)
ALONE = [name for name in ON if name not in ("mixup", "cutmix")]
MIXING = ["mixup", "cutmix"]
QUICK = {"xla_backend_optimization_level": 0}
"""Most of the time of these tests is compilation."""


def make(names, **others):
    settings = {key: value for name in names for key, value in ON[name].items()}
    return augment.make(**{**OFF, **settings, **others})


@functools.cache
def compiled(*names):
    return jax.jit(make(names), compiler_options=QUICK)


def apply(names, batch=BATCH, view=1, seed=0):
    return jax.device_get(compiled(*names)(batch, np.int32(view), np.uint32(seed)))


def views(names, batch):
    """`[views * b, ...]`: the results of several views."""
    results = [apply(names, batch, view) for view in range(12)]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *results)


def rows(batch, order):
    return jax.tree.map(lambda part: part[order], batch)


def differs(left, right):
    """`[b]`, whether any pixel does."""
    return (np.abs(left.image - right.image) > 1e-5).any((1, 2, 3))


def test_with_nothing_on_the_batch_is_the_same_bit_for_bit():
    # Not square: what resizes a square to itself would show.
    batch = BATCH._replace(image=BATCH.image[:, :6])
    for part, before in zip(*map(jax.tree.leaves, (apply([], batch), batch)), strict=True):
        assert part.dtype == before.dtype
        np.testing.assert_array_equal(part, before)


def test_each_transform_draws_the_same_alone_and_in_a_fixed_order_with_the_others():
    @functools.partial(jax.jit, compiler_options=QUICK)
    def one_after_the_other(batch, view, seed):
        steps = [batch]
        for name in ALONE:
            steps.append(make([name])(steps[-1], view, seed))
        mixed = [make(names)(steps[-1], view, seed) for names in (["mixup"], ["cutmix"], MIXING)]
        return steps, mixed, make(ON)(batch, view, seed)

    steps, (mixup, cutmix, both), everything = jax.device_get(
        one_after_the_other(BATCH, np.int32(1), np.uint32(0))
    )
    for name, before, after in zip(ALONE, steps[:-1], steps[1:], strict=True):
        assert differs(before, after).any(), name

    cut = differs(both, mixup)
    np.testing.assert_array_equal(differs(both, cutmix), ~cut)
    np.testing.assert_allclose(both.label, np.where(cut[:, None], cutmix.label, mixup.label))
    np.testing.assert_allclose(everything.image, both.image, atol=2e-5)
    np.testing.assert_allclose(everything.label, both.label)


def test_images_stay_in_range_and_labels_as_they_were_without_mixing():
    results = views(ALONE, BATCH)
    assert results.image.min() >= 0
    assert results.image.max() <= 1
    np.testing.assert_array_equal(results.label, np.concatenate([BATCH.label] * 12))
    assert results.label.dtype == BATCH.label.dtype


def test_both_mixings_are_drawn_and_labels_have_the_share_of_the_pixels():
    image = np.broadcast_to(np.arange(COUNT, dtype=np.float32)[:, None, None, None], (8, 8, 8, 3))
    mixed = views(MIXING, BATCH._replace(image=image))
    np.testing.assert_allclose(mixed.label.sum(-1), 1, atol=1e-6)
    expected = (mixed.label * np.arange(10)).sum(-1)
    np.testing.assert_allclose(mixed.image.mean((1, 2, 3)), expected, atol=1e-5)
    # Under cutmix, every pixel is an example's own.
    cut = (mixed.image % 1 == 0).all((1, 2, 3))
    assert 32 < cut.sum() < 64  # of 96


def test_an_example_is_changed_the_same_in_any_batch_and_place():
    order = RNG.permutation(COUNT)
    shuffled = apply(ALONE, rows(BATCH, order))
    np.testing.assert_allclose(shuffled.image, apply(ALONE).image[order], atol=1e-6)
    few = rows(BATCH, np.array([5, 2]))
    np.testing.assert_array_equal(apply(["pad"], few).image, apply(["pad"]).image[[5, 2]])


def test_an_example_keeps_the_same_share_in_any_batch_and_place():
    order = RNG.permutation(COUNT)
    shuffled = apply(MIXING, rows(BATCH, order)).label
    own = BATCH.label[order]
    np.testing.assert_allclose(shuffled[np.arange(COUNT), own], apply(MIXING).label[order, own])


@pytest.mark.parametrize("other", [{"view": 2}, {"seed": 1}])
def test_another_view_or_seed_is_another_draw(other):
    assert differs(apply(ALONE), apply(ALONE, **other)).all()


def test_the_same_image_under_another_id_is_another_draw():
    same = BATCH._replace(image=np.repeat(BATCH.image[:1], COUNT, axis=0))
    images = apply(ALONE, same).image
    assert len(np.unique(images.reshape(COUNT, -1), axis=0)) == COUNT


def test_each_flip_has_its_axis_and_they_do_not_go_together():
    image = np.concatenate([BATCH.image] * 12)
    flipped = []
    for name, mirrored in (("flip", image[:, :, ::-1]), ("flip_vertical", image[:, ::-1])):
        result = views([name], BATCH).image
        flipped.append((result == mirrored).all((1, 2, 3)))
        assert (flipped[-1] | (result == image).all((1, 2, 3))).all()
    assert 28 < (flipped[0] != flipped[1]).sum() < 68  # of 96


def test_each_transform_has_a_key_of_its_own(monkeypatch):
    names = []
    fold = augment.named_key

    def fold_and_note(key, name):
        names.append(name)
        return fold(key, name)

    monkeypatch.setattr(augment, "named_key", fold_and_note)
    jax.eval_shape(make(ON), BATCH, np.int32(0), np.uint32(0))
    assert len(names) == len(set(names)) == len(ON) + 1  # which of the two mixings
    key = jax.random.key(0)
    data = [tuple(jax.random.key_data(fold(key, name)).tolist()) for name in names]
    assert len(set(data)) == len(names)


def test_keys_are_of_the_seed_the_view_and_the_id():
    drawn = augment.keys(np.uint32(5), np.int32(2), np.int32([4, 9]))
    for key, example in zip(drawn, (4, 9), strict=True):
        expected = jax.random.fold_in(jax.random.fold_in(jax.random.key(5), 2), example)
        assert (jax.random.key_data(key) == jax.random.key_data(expected)).all()


def test_jit_changes_nothing():
    names = ["pad", "brightness"]
    plain = make(names)(jax.tree.map(jnp.asarray, BATCH), jnp.int32(1), jnp.uint32(0))
    np.testing.assert_allclose(plain.image, apply(names).image, atol=1e-6)


def test_devices_that_share_the_batch_change_nothing():
    mesh = Mesh(np.array(jax.devices()[:4]), ("devices",))
    shared = jax.device_put(BATCH, NamedSharding(mesh, PartitionSpec("devices")))
    results = apply(MIXING, shared), apply(MIXING)
    for part, whole in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(part, whole, atol=1e-6)


def test_grey_images_have_the_rest():
    rest = [name for name in ON if name not in ("saturation", "hue")]
    grey = BATCH._replace(image=BATCH.image[..., :1])
    drawn = jax.eval_shape(make(rest, mean=(0.5,)), grey, np.int32(0), np.uint32(0))
    assert drawn.image.shape == (COUNT, 8, 8, 1)
    assert drawn.label.shape == (COUNT, 10)
