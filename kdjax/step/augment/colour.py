"""Colour jitter of one image `[h, w, c]` in [0, 1]; the result is clipped to [0, 1].

As in TensorFlow: contrast moves each channel from its own mean, and saturation is that of HSV.
"""

import dm_pix
import jax
import jax.numpy as jnp

from kdjax.step.types import Array


def brightness(image: Array, key: Array, *, strength: float) -> Array:
    """Multiplies by a factor uniform in `[max(0, 1 - strength), 1 + strength]`."""
    return _clip(image * _factor(key, strength))


def contrast(image: Array, key: Array, *, strength: float) -> Array:
    """Multiplies the distance from each channel's mean; the factor is as for brightness."""
    return _clip(dm_pix.adjust_contrast(image, _factor(key, strength)))


def saturation(image: Array, key: Array, *, strength: float) -> Array:
    """Multiplies the saturation of `[h, w, 3]`; the factor is as for brightness."""
    # PIX adds booleans to floats, which the strict promotion of our tests refuses.
    with jax.numpy_dtype_promotion("standard"):
        return _clip(dm_pix.adjust_saturation(image, _factor(key, strength)))


def hue(image: Array, key: Array, *, turns: float) -> Array:
    """Shifts the hue of `[h, w, 3]` by up to `turns` of the colour circle, either way."""
    shift = jax.random.uniform(key, minval=-turns, maxval=turns)
    # As for saturation.
    with jax.numpy_dtype_promotion("standard"):
        return _clip(dm_pix.adjust_hue(image, shift))


def _factor(key: Array, strength: float) -> Array:
    return jax.random.uniform(key, minval=max(0.0, 1.0 - strength), maxval=1.0 + strength)


def _clip(image: Array) -> Array:
    return jnp.clip(image, 0.0, 1.0)
