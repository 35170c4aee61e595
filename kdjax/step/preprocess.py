"""The preparation of images for a network: resizing and normalising; pure."""

import jax
import jax.numpy as jnp

from kdjax.step.types import Array, Batch, Network, Preprocessing

INTERPOLATIONS = {"bilinear": "linear", "bicubic": "cubic"}
"""The names of `jax.image.resize` for the field's names."""


def normalise(image: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Images `[..., c]` in [0, 1], minus each channel's mean, divided by its deviation."""
    means, deviations = (
        jnp.expand_dims(jnp.float32(value), range(image.ndim - 1)) for value in (mean, std)
    )
    return (image - means) / deviations


def preprocess(image: Array, preprocessing: Preprocessing) -> Array:
    """Images `[b, h, w, c]` in [0, 1], resized to the network's size and normalised.

    Smaller images are averaged over the pixels that they cover (antialiased, as in Pillow). A grey
    image becomes three equal channels for a network of colour images.

    Returns:
        `[b, size, size, channels]` float32.
    """
    size, channels = preprocessing.size, len(preprocessing.mean)
    if image.shape[-1] == 1 and channels > 1:
        image = jnp.broadcast_to(image, (*image.shape[:-1], channels))
    if image.shape[1:3] != (size, size):
        shape = (image.shape[0], size, size, image.shape[-1])
        image = jax.image.resize(image, shape, INTERPOLATIONS[preprocessing.interpolation])
        # A cubic filter overshoots at edges.
        image = jnp.clip(image, 0.0, 1.0)
    return normalise(image, preprocessing.mean, preprocessing.std)


def network_input(network: Network, batch: Batch) -> Array:
    """The images of a batch as the network reads them."""
    if network.preprocessing is None:
        return batch.image
    assert batch.view is not None
    return preprocess(batch.view, network.preprocessing)
