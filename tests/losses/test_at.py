"""Attention transfer against PyTorch in float64, and the identities of the maps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kdjax.losses.at import attention_map, code, cosine, paper

RNG = np.random.default_rng(2)
STUDENT = RNG.normal(size=(3, 8, 6, 5))
TEACHER = RNG.normal(size=(3, 8, 6, 7))
OTHER_SIZE = RNG.normal(size=(3, 16, 5, 7))
LOSSES = [cosine, paper, code]


def f32(x):
    return jnp.asarray(x, jnp.float32)


@jax.jit
def values(student, teacher):
    """Of every loss, `[3, b]`."""
    return jnp.stack([loss(student, teacher) for loss in LOSSES])


@jax.jit
def gradients(student, teacher):
    """Of every loss, on both sides, each `[3, b, h, w, c]`."""
    return jax.jacrev(lambda s, t: values(s, t).sum(axis=1), argnums=(0, 1))(student, teacher)


map_of = jax.jit(attention_map)


def torch_maps(*features):
    """Normalised maps at the smaller size; PyTorch's own antialiased resizing."""
    size = [min(f.shape[axis] for f in features) for axis in (1, 2)]
    maps = []
    for feature in features:
        energy = feature.pow(2).mean(-1)[:, None]
        if list(energy.shape[2:]) != size:
            energy = torch.nn.functional.interpolate(energy, size, mode="bilinear", antialias=True)
        maps.append(torch.nn.functional.normalize(energy.flatten(1)))
    return maps


def torch_values(student, teacher):
    s, t = torch_maps(student, teacher)
    return [
        -torch.nn.functional.cosine_similarity(s, t),
        torch.linalg.vector_norm(s - t, dim=1),
        (s - t).pow(2).mean(1),
    ]


def test_map_is_pytorchs_of_norm_one():
    ours = map_of(f32(STUDENT))
    assert ours.shape == (3, 48)
    np.testing.assert_allclose(ours, torch_maps(torch.tensor(STUDENT))[0], rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=-1), 1.0, rtol=1e-6)


@pytest.mark.parametrize("teacher", [TEACHER, OTHER_SIZE], ids=["same", "other"])
def test_losses_and_gradients_equal_pytorchs_also_across_sizes(teacher):
    ours = values(f32(STUDENT), f32(teacher))
    assert ours.shape == (3, 3)
    s, t = (torch.tensor(x, requires_grad=True) for x in (STUDENT, teacher))
    expected_values = torch_values(s, t)
    np.testing.assert_allclose(ours, torch.stack(expected_values).detach(), rtol=1e-5)
    expected_gradients = [
        torch.autograd.grad(value.sum(), (s, t), retain_graph=True) for value in expected_values
    ]
    for side, expected in zip(
        gradients(f32(STUDENT), f32(teacher)), zip(*expected_gradients, strict=True), strict=True
    ):
        np.testing.assert_allclose(side, torch.stack(expected), rtol=1e-4, atol=1e-7)


def test_three_losses_are_one_up_to_constants():
    minus_cosine, distance, mean_square = values(f32(STUDENT), f32(TEACHER))
    np.testing.assert_allclose(distance, np.sqrt(48 * mean_square), rtol=1e-5)
    np.testing.assert_allclose(distance**2, 2 * (1 + minus_cosine), rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-12, -0.3, 1e12])
def test_map_ignores_channel_order_and_scale(factor):
    before = map_of(f32(STUDENT))
    np.testing.assert_allclose(map_of(f32(STUDENT[..., ::-1])), before, rtol=1e-5)
    np.testing.assert_allclose(map_of(f32(factor * STUDENT)), before, rtol=1e-5)
    # Homogeneous of degree 0, so the gradient is of degree -1.
    gradient, _ = gradients(f32(STUDENT), f32(TEACHER))
    scaled, _ = gradients(f32(factor * STUDENT), f32(TEACHER))
    np.testing.assert_allclose(np.float64(scaled) * factor, gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_equality_up_to_scale(factor):
    s, t = f32(STUDENT), f32(factor * STUDENT)
    expected = np.repeat([[-1.0], [0.0], [0.0]], 3, axis=1)
    np.testing.assert_allclose(values(s, t), expected, atol=1e-6)
    for side in gradients(s, t):
        np.testing.assert_allclose(side, 0.0, atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-19, 1e4, 1e30])
def test_finite_for_zero_and_extreme_maps_on_either_side(scale):
    s, t = f32(STUDENT), f32(TEACHER)
    for pair in [(scale * s, t), (s, scale * t), (scale * s, scale * t), (scale * s, scale * s)]:
        assert np.isfinite(values(*pair)).all()
        assert all(np.isfinite(side).all() for side in gradients(*pair))


@pytest.mark.parametrize("teacher", [TEACHER, OTHER_SIZE], ids=["same", "other"])
def test_zero_maps(teacher):
    zero, t = jnp.zeros(STUDENT.shape), f32(teacher)
    positions = 8 * min(6, t.shape[2])
    assert not np.any(map_of(zero))
    minus_cosine, distance, mean_square = values(zero, t)
    assert not np.any(minus_cosine)
    np.testing.assert_allclose(distance, 1.0, rtol=1e-6)
    np.testing.assert_allclose(mean_square, 1 / positions, rtol=1e-5)
    assert not np.any(gradients(zero, t)[0])


def test_nan_is_not_hidden():
    spoilt = STUDENT.copy()
    spoilt[0, 0, 0, 0] = np.nan
    assert np.isnan(values(f32(spoilt), f32(TEACHER))[:, 0]).all()


@pytest.mark.parametrize(
    ("student", "teacher"),
    [((2, 1, 1, 5), (2, 4, 4, 5)), ((2, 1, 4, 5), (2, 4, 1, 5)), ((2, 1, 1, 5), (2, 1, 1, 5))],
)
def test_refuses_1x1_while_tracing(student, teacher):
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (student, teacher)]
    with pytest.raises(ValueError, match="1x1") as error:
        jax.eval_shape(cosine, *shapes)
    assert str(student) in str(error.value)
    assert str(teacher) in str(error.value)
    with pytest.raises(ValueError, match="1x1"):
        jax.eval_shape(attention_map, jax.ShapeDtypeStruct((2, 1, 1, 5), jnp.float32))


def test_refuses_vectors():
    with pytest.raises(ValueError, match="maps"):
        paper(jnp.ones((2, 5)), jnp.ones((2, 5)))
