"""Nuclear norm against NumPy's singular values in float64; subgradients where it has a kink."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.losses.nuclear import nuclear_norm

RNG = np.random.default_rng(5)


def f32(x):
    return jnp.asarray(x, jnp.float32)


def numpy_norm(kernel):
    return np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False).sum()


def orthonormal(rows, columns):
    return np.linalg.qr(RNG.normal(size=(rows, columns)))[0]


value_and_gradient = jax.jit(jax.value_and_grad(nuclear_norm))


@pytest.mark.parametrize("shape", [(3, 3, 4, 8), (3, 3, 1, 16)], ids=["tall", "wide"])
def test_sum_of_singular_values_with_gradient_uv(shape):
    kernel = RNG.normal(size=shape)
    value, gradient = value_and_gradient(f32(kernel))
    assert value.shape == ()
    np.testing.assert_allclose(value, numpy_norm(kernel), rtol=1e-5)
    u, _, vt = np.linalg.svd(kernel.reshape(-1, shape[-1]), full_matrices=False)
    np.testing.assert_allclose(gradient, (u @ vt).reshape(shape), atol=1e-4)


@pytest.mark.parametrize("singular_values", [np.ones(6), np.array([5.0, 2.0, 2.0, 2.0, 1.0, 1.0])])
def test_repeated_singular_values(singular_values):
    u, v = orthonormal(18, 6), orthonormal(6, 6)
    kernel = ((u * singular_values) @ v.T).reshape(3, 3, 2, 6)
    value, gradient = value_and_gradient(f32(kernel))
    np.testing.assert_allclose(value, singular_values.sum(), rtol=1e-5)
    np.testing.assert_allclose(gradient.reshape(18, 6), u @ v.T, atol=1e-5)


@pytest.mark.parametrize("rank", [0, 1, 3])
@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_rank_deficient_kernels_have_a_subgradient(rank, scale):
    kernel = scale * RNG.normal(size=(18, rank)) @ RNG.normal(size=(rank, 6))
    value, gradient = value_and_gradient(f32(kernel.reshape(3, 3, 2, 6)))
    gradient = np.asarray(gradient.reshape(18, 6), np.float64)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(value, numpy_norm(kernel), rtol=1e-4)
    # Both together characterise a subgradient of a norm.
    assert np.linalg.norm(gradient, 2) <= 1 + 1e-5
    np.testing.assert_allclose((gradient * kernel).sum(), numpy_norm(kernel), rtol=1e-5)
    for size in (1e-3, 1.0):
        other = kernel + size * RNG.normal(size=kernel.shape)
        bound = numpy_norm(kernel) + (gradient * (other - kernel)).sum()
        assert numpy_norm(other) >= bound - 1e-5


def test_descent_shrinks_every_singular_value_alike():
    kernel = RNG.normal(size=(3, 3, 2, 6))
    _, gradient = value_and_gradient(f32(kernel))
    before = np.linalg.svd(kernel.reshape(18, 6), compute_uv=False)
    after = np.linalg.svd((kernel - 0.1 * gradient).reshape(18, 6), compute_uv=False)
    np.testing.assert_allclose(after, before - 0.1, rtol=1e-4)
