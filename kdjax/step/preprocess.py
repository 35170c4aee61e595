"""The preparation of images for a network: resizing and normalising; pure."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.step.types import Array, Batch, Network, Preprocessing


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _cubic(x: np.ndarray) -> np.ndarray:
    """The cubic convolution kernel with a = -1/2 (Keys, 1981)."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.select([x < 1.0, x < 2.0], [near, far])


INTERPOLATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "bilinear": _triangle,
    "bicubic": _cubic,
}
"""The kernel of every interpolation."""


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
        image = _resize(image, size, INTERPOLATIONS[preprocessing.interpolation])
        # A cubic filter overshoots at edges.
        image = jnp.clip(image, 0.0, 1.0)
    return normalise(image, preprocessing.mean, preprocessing.std)


def _resize(image: Array, size: int, kernel: Callable[[np.ndarray], np.ndarray]) -> Array:
    """Images `[b, h, w, c]` as `[b, size, size, c]`, by a matrix for each axis.

    The matrices are constants, so that a batch of any size can be exported.
    """
    rows, columns = (jnp.asarray(_weights(n, size, kernel)) for n in image.shape[1:3])
    precision = jax.lax.Precision.HIGHEST
    # [b, w, c, size], then [b, c, size, size].
    resized = jnp.tensordot(image, rows, (1, 0), precision=precision)
    resized = jnp.tensordot(resized, columns, (1, 0), precision=precision)
    return jnp.transpose(resized, (0, 2, 3, 1))


def _weights(before: int, after: int, kernel: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`[before, after]` float32: the weight of every pixel for every new pixel.

    Where the axis shrinks, the kernel is as much wider (antialiasing).
    """
    scale = before / after
    centre = (np.arange(after) + 0.5) * scale - 0.5
    weights = kernel((np.arange(before)[:, None] - centre) / max(scale, 1.0))
    return (weights / weights.sum(axis=0)).astype(np.float32)


def network_input(network: Network, batch: Batch) -> Array:
    """The images of a batch as the network reads them."""
    if network.preprocessing is None:
        return batch.image
    assert batch.view is not None
    return preprocess(batch.view, network.preprocessing)
