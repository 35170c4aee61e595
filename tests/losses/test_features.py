"""Feature losses against NumPy in float64 and PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kdjax.losses.features import half_squared, mse

RNG = np.random.default_rng(3)


@jax.jit
def evaluate(student, teacher):
    """Value and gradient in the student, of `mse` and of `half_squared`."""
    return [
        (loss(student, teacher), jax.grad(lambda s, loss=loss: loss(s, teacher).sum())(student))
        for loss in (mse, half_squared)
    ]


def f32(x):
    return jnp.asarray(x, jnp.float32)


@pytest.fixture(params=[(3, 4, 2, 5), (3, 7)], ids=["maps", "vectors"])
def pair(request):
    return RNG.normal(size=request.param), RNG.normal(size=request.param)


def test_equal_references_in_float64(pair):
    s, t = pair
    (mean, mean_gradient), (half_sum, half_sum_gradient) = evaluate(f32(s), f32(t))
    expected = torch.nn.functional.mse_loss(torch.tensor(s), torch.tensor(t), reduction="none")
    assert mean.shape == half_sum.shape == (3,)
    np.testing.assert_allclose(mean, expected.flatten(1).mean(1), rtol=1e-5)
    expected = 0.5 * ((s - t) ** 2).sum(tuple(range(1, s.ndim)))
    np.testing.assert_allclose(half_sum, expected, rtol=1e-5)
    np.testing.assert_allclose(mean_gradient, 2 * (s - t) / s[0].size, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(half_sum_gradient, s - t, rtol=1e-4, atol=1e-6)


def test_zero_with_zero_gradient_at_equality_and_finite_at_extremes(pair):
    s, t = (f32(x) for x in pair)
    for value, gradient in evaluate(s, s):
        assert not np.any(value)
        assert not np.any(gradient)
    for value, gradient in evaluate(1e4 * s, t):
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [mse, half_squared])
def test_refuses_differing_shapes_naming_both(loss):
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in [(2, 4, 4, 1), (2, 4, 4, 3)]]
    with pytest.raises(ValueError, match="same shape") as error:
        jax.eval_shape(loss, *shapes)
    assert "(2, 4, 4, 1) for the student" in str(error.value)
    assert "(2, 4, 4, 3) for the teacher" in str(error.value)
