"""Augmentation inside jit: each example's draw is keyed by (data seed, id, view) alone.

So every network sees the same augmented image, whatever the batch, the order and the number of
devices, and a resumed run sees what the uninterrupted one would have. Only mixing looks at a second
example, which the batch decides.
"""

import functools

import jax

from kdjax.step.augment import colour, geometry, mixing
from kdjax.step.step import named_key
from kdjax.step.types import Array, Augment, Batch


def keys(data_seed: Array, view: Array, ids: Array) -> Array:
    """One key for each example, `[b]`, from the data seed, the view and ids `[b]`."""
    base = jax.random.fold_in(jax.random.key(data_seed), view)
    return jax.vmap(lambda example: jax.random.fold_in(base, example))(ids)


def varies(*, pad_mode: str, **amounts: float | tuple[float, float]) -> bool:
    """Whether any transform is on; arguments as for `make`."""
    del pad_mode
    return any(value not in (0, (1, 1)) for value in amounts.values())


def make(
    *,
    classes: int,
    mean: tuple[float, ...],
    pad: int,
    pad_mode: str,
    flip: bool,
    flip_vertical: bool,
    crop_scale: tuple[float, float],
    crop_ratio: tuple[float, float],
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    cutout: int,
    mixup: float,
    cutmix: float,
) -> Augment:
    """The transforms that are on, in the order: crops, flips, colour, cutout, mixing.

    Each transform has a key of its own name, so that switching one on leaves the draws of the
    others alone. With none on, images are returned bit for bit.

    Args:
        classes: the number of classes, for labels that are class indices.
        mean: each channel's mean in [0, 1], with which cutout fills.
        others: the keys of `config.data.augment`, which `configs/base.py` explains; the functions
            of `geometry`, `colour` and `mixing` say what each transform draws. Their values are in
            range (`kdjax.config.ranges`). 0, False, or (1, 1) for a crop, is off.
    """
    part = functools.partial
    transforms = (
        (
            "resized_crop",
            (*crop_scale, *crop_ratio) != (1, 1, 1, 1),
            part(geometry.resized_crop, scale=crop_scale, ratio=crop_ratio),
        ),
        ("shift", pad, part(geometry.shift, pad=pad, mode=pad_mode)),
        ("flip", flip, part(geometry.flip, axis=1)),
        ("flip_vertical", flip_vertical, part(geometry.flip, axis=0)),
        ("brightness", brightness, part(colour.brightness, strength=brightness)),
        ("contrast", contrast, part(colour.contrast, strength=contrast)),
        ("saturation", saturation, part(colour.saturation, strength=saturation)),
        ("hue", hue, part(colour.hue, turns=hue)),
        ("cutout", cutout, part(geometry.cutout, side=cutout, fill=mean)),
    )

    def change(image: Array, key: Array) -> Array:
        for name, is_on, transform in transforms:
            if is_on:
                image = transform(image, named_key(key, name))
        return image

    def mix(batch: Batch, key: Array) -> Batch:
        size = batch.image.shape[1:3]

        def draw(key: Array) -> mixing.Share:
            mixed = mixing.mixup(named_key(key, "mixup"), size, concentration=mixup)
            cut = mixing.cutmix(named_key(key, "cutmix"), size, concentration=cutmix)
            if mixup and cutmix:
                return mixing.either(named_key(key, "mixing"), mixed, cut)
            return mixed if mixup else cut

        return mixing.mix(batch, jax.vmap(draw)(key), classes=classes)

    def augment(batch: Batch, view: Array, data_seed: Array) -> Batch:
        key = keys(data_seed, view, batch.id)
        batch = batch._replace(image=jax.vmap(change)(batch.image, key))
        return mix(batch, key) if mixup or cutmix else batch

    return augment
