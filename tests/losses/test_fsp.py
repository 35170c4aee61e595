"""FSP matrices against NumPy's einsum and PyTorch's pooling in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kdjax.losses.fsp import fsp, gram

RNG = np.random.default_rng(4)


def f32(x):
    return jnp.asarray(x, jnp.float32)


def maps(*shape):
    return RNG.normal(size=(2, *shape))


def pooled(feature, size):
    channels_first = torch.tensor(feature).permute(0, 3, 1, 2)
    return torch.nn.functional.adaptive_max_pool2d(channels_first, size).permute(0, 2, 3, 1).numpy()


gram_of = jax.jit(gram)
gradients = jax.jit(jax.grad(lambda *features: fsp(*features).sum(), argnums=(0, 1, 2, 3)))


def numpy_gram(first, last):
    size = tuple(min(first.shape[axis], last.shape[axis]) for axis in (1, 2))
    first, last = pooled(first, size), pooled(last, size)
    return np.einsum("bhwi,bhwj->bij", first, last) / (size[0] * size[1])


@pytest.mark.parametrize(
    ("first", "last"), [((4, 6), (4, 6)), ((8, 6), (4, 3)), ((4, 3), (4, 9)), ((8, 3), (4, 6))]
)
def test_gram_equals_einsum_after_max_pooling(first, last):
    first, last = maps(*first, 3), maps(*last, 5)
    ours = gram_of(f32(first), f32(last))
    assert ours.shape == (2, 3, 5)
    np.testing.assert_allclose(ours, numpy_gram(first, last), rtol=1e-5, atol=1e-6)


def test_loss_is_the_mean_over_the_matrix_and_ignores_spatial_size():
    student, teacher = (maps(8, 8, 3), maps(4, 4, 5)), (maps(6, 6, 3), maps(6, 6, 5))
    ours = jax.jit(fsp)(*(f32(x) for x in (*student, *teacher)))
    assert ours.shape == (2,)
    difference = numpy_gram(*student) - numpy_gram(*teacher)
    np.testing.assert_allclose(ours, (difference**2).mean((1, 2)), rtol=1e-5)


def test_gradient():
    s1, s2, t1, t2 = maps(4, 4, 3), maps(4, 4, 5), maps(4, 4, 3), maps(4, 4, 5)
    ours = gradients(*(f32(x) for x in (s1, s2, t1, t2)))[0]
    difference = numpy_gram(s1, s2) - numpy_gram(t1, t2)
    expected = np.einsum("bij,bhwj->bhwi", difference, s2) * 2 / (3 * 5 * 16)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_zero_at_equality_and_finite_at_extremes():
    first, last = f32(maps(8, 8, 3)), f32(maps(4, 4, 5))
    loss = jax.jit(fsp)
    assert not np.any(loss(first, last, first, last))
    assert not any(np.any(g) for g in gradients(first, last, first, last))
    for scale in (0.0, 1e4):
        extreme = (scale * first, scale * last, first, last)
        assert np.isfinite(loss(*extreme)).all()
        assert all(np.isfinite(g).all() for g in gradients(*extreme))


def test_refuses_other_channel_counts_naming_both():
    s1, s2, t1, t2 = (jax.ShapeDtypeStruct((2, 8, 8, c), jnp.float32) for c in (64, 128, 256, 512))
    with pytest.raises(ValueError, match="channel") as error:
        jax.eval_shape(fsp, s1, s2, t1, t2)
    assert "(64, 128) for the student" in str(error.value)
    assert "(256, 512) for the teacher" in str(error.value)


def test_refuses_sizes_that_are_no_multiple():
    with pytest.raises(ValueError, match="multiple") as error:
        gram(jnp.ones((2, 8, 8, 3)), jnp.ones((2, 8, 5, 3)))
    assert "(8, 8)" in str(error.value)
    assert "(8, 5)" in str(error.value)
