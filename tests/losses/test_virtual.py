"""Teacher-free targets against NumPy in float64 and PyTorch, and their identities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kdjax.losses.virtual import (
    bernoulli_uniform_kl,
    bernoulli_virtual_kl,
    uniform_kl,
    virtual_kl,
    virtual_probabilities,
)
from tests.losses.reference import f32, sigmoid, softmax

RNG = np.random.default_rng(6)
STUDENT = RNG.normal(size=(6, 10)) * 4
LABELS = RNG.integers(0, 10, 6)
ATTRIBUTES = RNG.integers(0, 2, (6, 10))
# Close to equality the divergence is a small sum of larger terms.
ROUNDING = 2e-7
SETTINGS = [(0.99, 20.0, True), (0.99, 20.0, False), (0.9, 1.0, True), (0.6, 4.0, False)]


def numpy_virtual(labels, classes, correct):
    p = np.full((len(labels), classes), (1 - correct) / (classes - 1))
    p[np.arange(len(labels)), labels] = correct
    return p


def numpy_bernoulli_target(labels, correct, temperature):
    """The softened probability of 1."""
    both = np.where(labels[..., None] == [1, 0], correct, 1 - correct)
    return softmax(both / temperature)[..., 0]


def kl_and_gradient(loss):
    """`f(logits, labels, correct, temperature, temper_student)`: unscaled, scaled, its gradient."""

    def evaluate(logits, labels, correct, temperature, temper_student):
        kwargs = dict(correct=correct, temperature=temperature, temper_student=temper_student)
        return (
            loss(logits, labels, scale_by_t2=False, **kwargs),
            loss(logits, labels, **kwargs),
            jax.grad(lambda z: loss(z, labels, **kwargs).sum())(logits),
        )

    return jax.jit(evaluate, static_argnums=4)


@jax.jit
def uniform(logits):
    """Values and gradients of `uniform_kl`, then of `bernoulli_uniform_kl`."""
    return [
        (loss(logits), jax.grad(lambda z, loss=loss: loss(z).sum())(logits))
        for loss in (uniform_kl, bernoulli_uniform_kl)
    ]


softmax_virtual, bernoulli_virtual = map(kl_and_gradient, (virtual_kl, bernoulli_virtual_kl))
INDICES, PRESENT = jnp.asarray(LABELS, jnp.int32), jnp.asarray(ATTRIBUTES, jnp.int32)


@pytest.mark.parametrize("correct", [0.99, 0.5])
def test_probabilities(correct):
    ours = virtual_probabilities(jnp.asarray(LABELS, jnp.int32), 10, correct=correct)
    np.testing.assert_allclose(ours, numpy_virtual(LABELS, 10, correct), rtol=1e-5)
    np.testing.assert_allclose(ours.sum(-1), 1.0, rtol=1e-6)


def test_probabilities_of_soft_labels_mix_the_virtual_teachers():
    first, second = np.eye(10)[LABELS], np.eye(10)[LABELS[::-1]]
    ours = virtual_probabilities(f32(0.3 * first + 0.7 * second), 10)
    expected = 0.3 * numpy_virtual(LABELS, 10, 0.99) + 0.7 * numpy_virtual(LABELS[::-1], 10, 0.99)
    np.testing.assert_allclose(ours, expected, rtol=1e-5)
    np.testing.assert_allclose(
        virtual_probabilities(f32(first), 10),
        virtual_probabilities(jnp.asarray(LABELS, jnp.int32), 10),
        rtol=1e-5,
    )


def test_softened_label_gets_0_1045():
    """The gradient of an untempered student is its prediction less the softened teacher."""
    _, _, gradient = softmax_virtual(jnp.zeros((6, 10)), INDICES, 0.99, 20.0, False)
    softened = 0.1 - gradient / 20.0**2
    expected = np.full((6, 10), 0.0995)
    expected[np.arange(6), LABELS] = 0.1045
    np.testing.assert_allclose(softened, expected, atol=5e-5)


def test_softened_true_value_of_an_attribute_is_a_sigmoid():
    _, _, gradient = bernoulli_virtual(jnp.zeros((6, 10)), PRESENT, 0.99, 20.0, False)
    softened = 0.5 - 10 * gradient / 20.0**2
    expected = sigmoid(np.where(ATTRIBUTES == 1, 0.98, -0.98) / 20)
    np.testing.assert_allclose(softened, expected, atol=1e-6)


@pytest.mark.parametrize(("correct", "temperature", "temper_student"), SETTINGS)
def test_virtual_kl_value_and_gradient(correct, temperature, temper_student):
    settings = (correct, temperature, temper_student)
    unscaled, scaled, gradient = softmax_virtual(f32(STUDENT), INDICES, *settings)
    q = softmax(numpy_virtual(LABELS, 10, correct) / temperature)
    divisor = temperature if temper_student else 1.0
    p = softmax(STUDENT / divisor)
    assert unscaled.shape == (6,)
    np.testing.assert_allclose(unscaled, (q * np.log(q / p)).sum(-1), rtol=1e-5, atol=ROUNDING)
    np.testing.assert_allclose(scaled, temperature**2 * unscaled, rtol=1e-5)
    expected = temperature**2 / divisor * (p - q)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6 * temperature**2)


@pytest.mark.parametrize(("correct", "temperature", "temper_student"), SETTINGS)
def test_bernoulli_virtual_kl_value_and_gradient(correct, temperature, temper_student):
    settings = (correct, temperature, temper_student)
    unscaled, scaled, gradient = bernoulli_virtual(f32(STUDENT), PRESENT, *settings)
    q = numpy_bernoulli_target(ATTRIBUTES, correct, temperature)
    divisor = temperature if temper_student else 1.0
    p = sigmoid(STUDENT / divisor)
    kl = q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))
    assert unscaled.shape == (6,)
    np.testing.assert_allclose(unscaled, kl.mean(-1), rtol=1e-5, atol=ROUNDING)
    np.testing.assert_allclose(scaled, temperature**2 * unscaled, rtol=1e-5)
    expected = temperature**2 / (10 * divisor) * (p - q)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6 * temperature**2)


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_indifferent_virtual_teacher_is_uniform(temperature):
    (softmax_kl, _), (bernoulli_kl, _) = uniform(f32(STUDENT))
    ours, _, _ = softmax_virtual(f32(STUDENT), INDICES, 0.1, temperature, False)
    np.testing.assert_allclose(ours, softmax_kl, rtol=1e-5)
    ours, _, _ = bernoulli_virtual(f32(STUDENT), PRESENT, 0.5, temperature, False)
    np.testing.assert_allclose(ours, bernoulli_kl, rtol=1e-5)


def test_uniform_kl():
    value, gradient = uniform(f32(STUDENT))[0]
    p = softmax(STUDENT)
    assert value.shape == (6,)
    np.testing.assert_allclose(value, (0.1 * np.log(0.1 / p)).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(gradient, p - 0.1, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(uniform(jnp.full((6, 10), 3.0))[0][0], 0.0, atol=1e-6)


def test_cross_entropy_under_label_smoothing_is_cross_entropy_and_uniform_kl():
    def smoothed(amount):
        return torch.nn.functional.cross_entropy(
            torch.tensor(STUDENT),
            torch.tensor(LABELS),
            label_smoothing=amount,
            reduction="none",
        ).numpy()

    ours = 0.9 * smoothed(0.0) + 0.1 * (uniform(f32(STUDENT))[0][0] + np.log(10))
    np.testing.assert_allclose(ours, smoothed(0.1), rtol=1e-5)


def test_bernoulli_uniform_kl():
    value, gradient = uniform(f32(STUDENT))[1]
    assert value.shape == (6,)
    np.testing.assert_allclose(value, np.log(np.cosh(STUDENT / 2)).mean(-1), rtol=1e-5)
    expected = (sigmoid(STUDENT) - 0.5) / 10
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_constant_shift_changes_softmax_nothing_and_bernoulli_something():
    shifted, settings = f32(STUDENT + 3.0), (0.99, 20.0, True)
    before = softmax_virtual(f32(STUDENT), INDICES, *settings)[0]
    np.testing.assert_allclose(softmax_virtual(shifted, INDICES, *settings)[0], before, rtol=1e-4)
    (before, _), (bernoulli_before, _) = uniform(f32(STUDENT))
    (after, _), (bernoulli_after, _) = uniform(shifted)
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert not np.allclose(bernoulli_after, bernoulli_before, rtol=1e-2)


@pytest.mark.parametrize("temper_student", [True, False])
def test_finite_at_extreme_logits(temper_student):
    extreme = f32(np.where(STUDENT > 0, 1e4, -1e4))
    results = [
        softmax_virtual(extreme, INDICES, 0.99, 20.0, temper_student),
        bernoulli_virtual(extreme, PRESENT, 0.99, 20.0, temper_student),
        uniform(extreme),
    ]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(results))
