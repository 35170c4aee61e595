"""Resizing against JAX's own, normalising against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.step.preprocess import preprocess
from kdjax.step.types import Preprocessing


@pytest.mark.parametrize(("name", "method"), [("bilinear", "linear"), ("bicubic", "cubic")])
@pytest.mark.parametrize("size", [5, 12, 19, 40])
def test_resizing_is_jaxs(size, name, method):
    image = jnp.asarray(np.random.default_rng(0).random((2, 19, 12, 3)), jnp.float32)
    resized = preprocess(image, Preprocessing(size, (0.0,) * 3, (1.0,) * 3, name))
    expected = jnp.clip(jax.image.resize(image, (2, size, size, 3), method), 0.0, 1.0)
    np.testing.assert_allclose(resized, expected, atol=5e-6)


def test_a_grey_image_becomes_three_channels_each_normalised():
    image = np.random.default_rng(0).random((2, 6, 6, 1)).astype(np.float32)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    got = preprocess(jnp.asarray(image), Preprocessing(6, mean, std, "bilinear"))
    np.testing.assert_allclose(got, (image - np.array(mean)) / np.array(std), rtol=1e-5, atol=1e-6)
