"""Augmentation inside jit: each example's draw is keyed by (data seed, id, view) alone.

So every network sees the same augmented image, whatever the batch, the order and the number of
devices, and a resumed run sees what the uninterrupted one would have.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from kdjax.types import Array

Augment = Callable[[Array, Array], Array]
"""`augment(image [h, w, c] in [0, 1], key)` returns an image of the same shape."""


def keys(data_seed: Array, view: Array, ids: Array) -> Array:
    """One key for each example, `[b]`, from the data seed, the view and ids `[b]`."""
    base = jax.random.fold_in(jax.random.key(data_seed), view)
    return jax.vmap(lambda example: jax.random.fold_in(base, example))(ids)


def make(*, pad: int, flip: bool) -> Augment:
    """Random shifts by up to `pad` pixels (the border filled with zeros), then random flips.

    Args:
        pad: largest shift in pixels, in each direction; 0 shifts nothing.
        flip: mirror left and right with probability one half.
    """

    def augment(image: Array, key: Array) -> Array:
        shift_key, flip_key = jax.random.split(key)
        if pad:
            padded = jnp.pad(image, ((pad, pad), (pad, pad), (0, 0)))
            row, column = jax.random.randint(shift_key, (2,), 0, 2 * pad + 1)
            image = jax.lax.dynamic_slice(padded, (row, column, jnp.int32(0)), image.shape)
        if flip:
            image = jnp.where(jax.random.bernoulli(flip_key), image[:, ::-1], image)
        return image

    return augment
