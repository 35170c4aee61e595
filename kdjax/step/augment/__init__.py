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


def varies(
    *,
    crop_scale: tuple[float, float],
    crop_ratio: tuple[float, float],
    pad_mode: str,
    **amounts: float,
) -> bool:
    """Whether any transform is on; arguments as for `make`."""
    return _crops(crop_scale, crop_ratio) or any(amounts.values())


def _crops(scale: tuple[float, float], ratio: tuple[float, float]) -> bool:
    return (*scale, *ratio) != (1.0, 1.0, 1.0, 1.0)


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
        classes: how many, for labels that are class indices.
        mean: of each channel, in [0, 1]: what cutout fills with.
        pad: largest shift in pixels, in each direction; 0 shifts nothing.
        pad_mode: what a shift brings in, `zeros` or `reflect`.
        flip: mirror left and right with probability one half.
        flip_vertical: mirror up and down with probability one half.
        crop_scale: least and largest share of the area that a resized crop keeps. Off when this and
            `crop_ratio` are (1, 1).
        crop_ratio: least and largest ratio of a resized crop's width to its height.
        brightness: largest relative change, as for contrast and saturation; 0 changes nothing.
        contrast: see `brightness`.
        saturation: see `brightness`; for three channels.
        hue: largest shift in turns, up to 0.5; for three channels.
        cutout: side in pixels of the square that is filled; 0 fills none.
        mixup: the concentration a of Beta(a, a); 0 mixes nothing.
        cutmix: the same. Where both are greater than 0, each example draws one of the two.

    Raises:
        ValueError: `pad_mode` is unknown, or images without colour have saturation or hue changed.
    """
    if pad_mode not in geometry.PAD_MODES:
        raise ValueError(f"pad_mode is {pad_mode!r}; it must be {' or '.join(geometry.PAD_MODES)}")
    if (saturation or hue) and len(mean) != 3:
        raise ValueError(f"saturation and hue need images of 3 channels; these have {len(mean)}")
    part = functools.partial
    transforms = (
        (
            "resized_crop",
            _crops(crop_scale, crop_ratio),
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
            drawn = []
            if mixup:
                drawn.append(mixing.mixup(named_key(key, "mixup"), size, concentration=mixup))
            if cutmix:
                own = named_key(key, "cutmix")
                drawn.append(mixing.cutmix(own, size, concentration=cutmix))
            if len(drawn) == 1:
                return drawn[0]
            return mixing.either(named_key(key, "mixing"), *drawn)

        return mixing.mix(batch, jax.vmap(draw)(key), classes=classes)

    def augment(batch: Batch, view: Array, data_seed: Array) -> Batch:
        key = keys(data_seed, view, batch.id)
        batch = batch._replace(image=jax.vmap(change)(batch.image, key))
        return mix(batch, key) if mixup or cutmix else batch

    return augment
