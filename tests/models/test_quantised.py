"""Networks that learn in 8 bits: values, gradients, and the float32 network that they stay."""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from configs import kd
from kdjax.config import ranges
from kdjax.models.networks import linen
from kdjax.system.errors import UserError
from kdjax.training import train
from tests.helpers import assert_identical, assert_same_structure, evaluated, small

pytest.importorskip("qwix", reason="needs requirements/export.txt")

SHAPE = (6, 6, 2)


class Layers(nn.Module):
    """A convolution, a depthwise convolution and a dense layer, whose results are features."""

    @nn.compact
    def __call__(self, x, *, train):
        features = {}
        features["conv"] = x = nn.Conv(4, (3, 3), use_bias=False, name="conv")(x)
        depthwise = nn.Conv(4, (3, 3), feature_group_count=4, use_bias=False, name="depthwise")
        features["depthwise"] = x = depthwise(x)
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(3, use_bias=False, name="dense")(x), features


def network(quantise):
    return linen.network(Layers(), image_shape=SHAPE, key_name="x", quantise=quantise)


def eight_bits(x, axes, *, symmetric):
    """Values on a grid of 8 bits between the extremes over `axes`, in float64."""
    x = np.asarray(x, np.float64)
    if symmetric:
        scale = np.abs(x).max(axes, keepdims=True) / 127.5
        return np.clip(np.round(x / scale), -128, 127) * scale
    low, high = np.minimum(x.min(), 0), np.maximum(x.max(), 0)
    scale = (high - low) / 255
    return np.clip(np.round(x / scale), np.round(low / scale), np.round(high / scale)) * scale


def test_weights_and_activations_are_on_a_grid_of_8_bits():
    """The dense layer's result is the product of its rounded inputs, as NumPy computes it."""
    ours = network("int8")
    state = ours.init(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (5, *SHAPE))
    outputs, _ = ours.apply(state, image, train=True)
    inputs = np.asarray(outputs.features["depthwise"]).reshape(5, -1)
    kernel = np.asarray(state.params["dense"]["kernel"])
    expected = eight_bits(inputs, None, symmetric=False) @ eight_bits(kernel, 0, symmetric=True)
    exact = inputs.astype(np.float64) @ kernel
    # A value in the middle of two grid points may be rounded to either, as float32 has it.
    error = np.abs(np.asarray(outputs.logits) - expected).max()
    assert error < 0.1 * np.abs(exact - expected).max()


@pytest.mark.parametrize("feature", ["conv", "depthwise"])
def test_convolutions_are_rounded(feature):
    """Also depthwise convolutions, which have fast forms of their own on a CPU."""
    exact, ours = network(""), network("int8")
    state = exact.init(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (5, *SHAPE))
    there, here = (n.apply(state, image, train=True)[0].features[feature] for n in (exact, ours))
    error = float(jnp.abs(here - there).max() / jnp.abs(there).max())
    assert 1e-4 < error < 0.05


def test_parameters_and_predictions_are_those_of_the_float_network():
    """Also after the 8-bit network was traced: nothing of it stays in JAX's caches."""
    exact, ours = network(""), network("int8")
    state = ours.init(jax.random.key(0))
    assert_identical(state, exact.init(jax.random.key(0)))
    image = jax.random.normal(jax.random.key(1), (5, *SHAPE))
    before = exact.apply(state, image, train=True)[0]
    assert_identical(ours.apply(state, image, train=False)[0], before)
    ours.apply(state, image, train=True)
    assert_identical(exact.apply(state, image, train=True)[0], before)


def test_the_gradient_passes_through_the_rounding():
    """It is that of a network whose weights are the rounded ones, and reaches every parameter."""
    ours = network("int8")
    state = ours.init(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (5, *SHAPE))

    def loss(network, params):
        outputs, _ = network.apply(state._replace(params=params), image, train=True)
        return jnp.sum(outputs.logits**2)

    there, here = (jax.grad(partial(loss, n))(state.params) for n in (network(""), ours))
    assert_same_structure(here, there)
    for exact, gradient in zip(jax.tree.leaves(there), jax.tree.leaves(here), strict=True):
        cosine = jnp.sum(exact * gradient) / jnp.linalg.norm(exact) / jnp.linalg.norm(gradient)
        assert 0.99 < cosine < 1.0 - 1e-9 or jnp.allclose(exact, gradient, rtol=0.1)


def learn(directory, quantise=""):
    """The result of a run in which a student learns from a teacher."""
    config = small(kd, "digits,baseline=0")
    config.networks.student.quantise = quantise
    config.networks.teacher.model = "mnist.student"
    return train.run(config, directory)


@pytest.mark.usefixtures("one_device", "standard")
def test_a_student_learns_in_8_bits(tmp_path):
    """It is validated, tested and restored as a float32 network."""
    result = learn(tmp_path / "run", "int8")["networks"]["student"]
    assert result["test"]["accuracy"] > 0.2
    figures = evaluated(tmp_path / "run")["networks"]["student"]
    assert figures["accuracy"] == result["test"]["accuracy"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_device", "standard")
def test_the_teacher_of_a_student_in_8_bits_is_a_float_network(tmp_path):
    rounded, exact = (learn(tmp_path / f"run{name}", name) for name in ("int8", ""))
    assert rounded["networks"]["teacher"] == exact["networks"]["teacher"]
    assert rounded["networks"]["student"]["test"] != exact["networks"]["student"]["test"]


def test_other_values_and_a_missing_package_are_one_line(monkeypatch):
    config = small(kd, "digits")
    config.networks.student.quantise = "int4"
    with pytest.raises(UserError, match=r"config.networks.student.quantise.*int8") as error:
        ranges.check(config)
    assert "\n" not in str(error.value)
    monkeypatch.setitem(sys.modules, "qwix", None)
    with pytest.raises(UserError, match=r"quantise=int8 needs qwix: pip install -r requirements/"):
        network("int8")
