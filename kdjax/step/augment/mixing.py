"""Mixing each example with a partner: how much it keeps, and what becomes of images and labels."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from kdjax.step.augment import geometry
from kdjax.step.types import Array, Batch


class Share(NamedTuple):
    """The share that an example keeps of itself; the rest is its partner's."""

    pixels: Array
    """`[h, w]` float32 in [0, 1]."""
    label: Array
    """A scalar, the mean of `pixels`."""


def mixup(key: Array, size: tuple[int, ...], *, concentration: float) -> Share:
    """The same share of every pixel, from Beta(a, a).

    Args:
        key: of this transform.
        size: `(h, w)` of the image.
        concentration: a > 0.

    References:
        Zhang et al., mixup: Beyond Empirical Risk Minimization, arXiv:1710.09412, section 2.
    """
    share = jax.random.beta(key, concentration, concentration)
    return Share(jnp.full(size, share), share)


def cutmix(key: Array, size: tuple[int, ...], *, concentration: float) -> Share:
    """All but a box with the image's proportions, its centre uniform over the pixels.

    The box's area is `1 - s` of the image's, with s from Beta(a, a), but for the rounding of its
    sides down to pixels and the border, which clips it; the label's share is what is then left.

    Args:
        key: of this transform.
        size: `(h, w)` of the image.
        concentration: a > 0.

    References:
        Yun et al., CutMix, arXiv:1905.04899, section 3.1.
    """
    share_key, centre_key = jax.random.split(key)
    share = jax.random.beta(share_key, concentration, concentration)
    sides = jnp.asarray(size, jnp.float32) * jnp.sqrt(1.0 - share)
    box = geometry.window(size, geometry.pixel(centre_key, size), sides.astype(jnp.int32))
    pixels = 1.0 - box.astype(jnp.float32)
    return Share(pixels, jnp.mean(pixels))


def either(key: Array, first: Share, second: Share) -> Share:
    """One of two shares, each with probability one half."""
    choice = jax.random.bernoulli(key)
    return jax.tree.map(lambda a, b: jnp.where(choice, a, b), first, second)


def mix(batch: Batch, share: Share, *, classes: int) -> Batch:
    """Mixes example i of a batch, or of a device's shard under pmap, with example `b - 1 - i`.

    The middle one of an odd number is its own partner. An example whose partner is padding keeps
    all of itself.

    Args:
        batch: labels are class indices `[b]`, or probabilities or attributes `[b, k]`.
        share: of each example: `pixels` `[b, h, w]`, `label` `[b]`.
        classes: how many, for labels that are class indices.

    Returns:
        The batch with mixed images, and with labels `[b, k]` float32.
    """
    alone = batch.mask[::-1] == 0
    pixels = jnp.where(alone[:, None, None], 1.0, share.pixels)[..., None]
    own = jnp.where(alone, 1.0, share.label)[:, None]
    label = jax.nn.one_hot(batch.label, classes) if batch.label.ndim == 1 else batch.label
    label = label.astype(jnp.float32)
    return batch._replace(
        image=pixels * batch.image + (1.0 - pixels) * batch.image[::-1],
        label=own * label + (1.0 - own) * label[::-1],
    )
