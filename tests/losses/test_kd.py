"""Soft targets against NumPy in float64, PyTorch, and the identities of the formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kdjax.losses.kd import (
    bernoulli_cross_entropy,
    bernoulli_kl,
    soft_cross_entropy,
    softmax_kl,
)
from tests.losses.reference import f32, sigmoid, softmax

RNG = np.random.default_rng(1)
STUDENT = RNG.normal(size=(6, 5)) * 2
TEACHER = RNG.normal(size=(6, 5)) * 2
TEMPERATURES = [0.5, 1.0, 4.0]


def numpy_softmax_kl(s, t, temperature):
    p, q = softmax(t / temperature), softmax(s / temperature)
    return temperature**2 * (p * (np.log(p) - np.log(q))).sum(-1)


def numpy_bernoulli_kl(s, t, temperature):
    p, q = sigmoid(t / temperature), sigmoid(s / temperature)
    both = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return temperature**2 * both.mean(-1)


def numpy_soft_cross_entropy(s, t, temperature):
    p, q = softmax(t / temperature), softmax(s / temperature)
    return temperature**2 * -(p * np.log(q)).sum(-1)


def numpy_bernoulli_cross_entropy(s, t, temperature):
    p, q = sigmoid(t / temperature), sigmoid(s / temperature)
    return temperature**2 * -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean(-1)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize(
    ("loss", "reference"),
    [
        (softmax_kl, numpy_softmax_kl),
        (bernoulli_kl, numpy_bernoulli_kl),
        (soft_cross_entropy, numpy_soft_cross_entropy),
        (bernoulli_cross_entropy, numpy_bernoulli_cross_entropy),
    ],
)
def test_equals_numpy_in_float64(loss, reference, temperature):
    ours = loss(f32(STUDENT), f32(TEACHER), temperature=temperature)
    np.testing.assert_allclose(ours, reference(STUDENT, TEACHER, temperature), rtol=1e-5)
    unscaled = loss(f32(STUDENT), f32(TEACHER), temperature=temperature, scale_by_t2=False)
    np.testing.assert_allclose(unscaled * temperature**2, ours, rtol=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_batch_mean_is_pytorchs_batchmean(temperature):
    s, t = torch.tensor(STUDENT) / temperature, torch.tensor(TEACHER) / temperature
    expected = torch.nn.functional.kl_div(
        s.log_softmax(-1), t.log_softmax(-1), reduction="batchmean", log_target=True
    )
    ours = softmax_kl(f32(STUDENT), f32(TEACHER), temperature=temperature).mean()
    np.testing.assert_allclose(ours, temperature**2 * expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_softmax_gradient(temperature):
    gradient = jax.grad(lambda s: softmax_kl(s, f32(TEACHER), temperature=temperature).sum())(
        f32(STUDENT)
    )
    expected = temperature * (softmax(STUDENT / temperature) - softmax(TEACHER / temperature))
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_bernoulli_gradient(temperature):
    gradient = jax.grad(lambda s: bernoulli_kl(s, f32(TEACHER), temperature=temperature).sum())(
        f32(STUDENT)
    )
    difference = sigmoid(STUDENT / temperature) - sigmoid(TEACHER / temperature)
    np.testing.assert_allclose(gradient, temperature / 5 * difference, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("cross_entropy", "kl"),
    [(soft_cross_entropy, softmax_kl), (bernoulli_cross_entropy, bernoulli_kl)],
)
def test_cross_entropy_is_kl_plus_the_teachers_entropy(cross_entropy, kl):
    @jax.jit
    def value_and_gradient(s, temperature):
        return [
            jax.value_and_grad(
                lambda s, loss=loss: loss(s, f32(TEACHER), temperature=temperature).sum()
            )(s)
            for loss in (cross_entropy, kl)
        ]

    for temperature in TEMPERATURES:
        (value, gradient), (kl_value, kl_gradient) = value_and_gradient(f32(STUDENT), temperature)
        (entropy, _), _ = value_and_gradient(f32(TEACHER), temperature)
        np.testing.assert_allclose(value, kl_value + entropy, rtol=1e-5)
        np.testing.assert_allclose(gradient, kl_gradient, rtol=1e-4, atol=1e-6)


def test_bernoulli_cross_entropy_keeps_a_confident_teachers_small_probability():
    confident = np.array([[15.0, -15.0]])
    ours = bernoulli_cross_entropy(f32(confident), f32(confident), temperature=1.0)
    expected = numpy_bernoulli_cross_entropy(confident, confident, 1.0)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)


def test_high_temperature_limits():
    delta = STUDENT - TEACHER
    centred = delta - delta.mean(-1, keepdims=True)
    with jax.enable_x64(True):
        s, t = jnp.asarray(STUDENT), jnp.asarray(TEACHER)
        multi_class = softmax_kl(s, t, temperature=1e4)
        multi_label = bernoulli_kl(s, t, temperature=1e4)
    np.testing.assert_allclose(multi_class, (centred**2).sum(-1) / (2 * 5), rtol=1e-3)
    np.testing.assert_allclose(multi_label, (delta**2).mean(-1) / 8, rtol=1e-3)


def test_constant_shift_changes_softmax_nothing_and_bernoulli_something():
    shifted = f32(STUDENT + 3.0)
    before = softmax_kl(f32(STUDENT), f32(TEACHER), temperature=2.0)
    np.testing.assert_allclose(
        softmax_kl(shifted, f32(TEACHER), temperature=2.0), before, rtol=1e-4
    )
    before = soft_cross_entropy(f32(STUDENT), f32(TEACHER), temperature=2.0)
    np.testing.assert_allclose(
        soft_cross_entropy(shifted, f32(TEACHER), temperature=2.0), before, rtol=1e-4
    )
    before = bernoulli_kl(f32(STUDENT), f32(TEACHER), temperature=2.0)
    assert not np.allclose(bernoulli_kl(shifted, f32(TEACHER), temperature=2.0), before, rtol=1e-2)


@pytest.mark.parametrize("loss", [softmax_kl, bernoulli_kl])
def test_zero_at_equality_and_positive_elsewhere(loss):
    np.testing.assert_allclose(loss(f32(TEACHER), f32(TEACHER), temperature=2.0), 0.0, atol=1e-6)
    assert (loss(f32(STUDENT), f32(TEACHER), temperature=2.0) > 0).all()


@pytest.mark.parametrize(
    "loss", [softmax_kl, bernoulli_kl, soft_cross_entropy, bernoulli_cross_entropy]
)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_finite_at_extreme_logits_on_either_side(loss, temperature):
    extreme = f32(np.where(STUDENT > 0, 1e4, -1e4))
    for s, t in [(extreme, f32(TEACHER)), (f32(STUDENT), extreme), (extreme, -extreme)]:
        value, gradients = jax.value_and_grad(
            lambda s, t: loss(s, t, temperature=temperature).sum(), argnums=(0, 1)
        )(s, t)
        assert np.isfinite(value)
        assert all(np.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize(("temperature", "error"), [(1, 1e-6), (100, 2e-5), (10_000, 2e-3)])
@pytest.mark.parametrize(
    ("loss", "reference"), [(softmax_kl, numpy_softmax_kl), (bernoulli_kl, numpy_bernoulli_kl)]
)
def test_values_do_not_cancel_at_large_temperatures(loss, reference, temperature, error):
    """Summed as `p_t (log p_t - log p_s)`, they are off by 2e-3 at 100, and below 0 at 10,000."""
    rng = np.random.default_rng(2)
    student, teacher = (3 * rng.normal(size=(512, 10)).astype(np.float32) for _ in range(2))
    values = loss(f32(student), f32(teacher), temperature=float(temperature))
    exact = reference(np.float64(student), np.float64(teacher), float(temperature))
    np.testing.assert_allclose(values, exact, rtol=error)


def test_gradients_keep_their_digits_at_temperature_100():
    rng = np.random.default_rng(2)
    student, teacher = (3 * rng.normal(size=(512, 10)).astype(np.float32) for _ in range(2))
    gradient = jax.grad(lambda s: softmax_kl(s, f32(teacher), temperature=100.0).sum())(
        f32(student)
    )
    probabilities = [softmax(logits.astype(np.float64) / 100) for logits in (student, teacher)]
    expected = 100 * (probabilities[0] - probabilities[1])
    assert np.linalg.norm(gradient - expected) < 1e-5 * np.linalg.norm(expected)
