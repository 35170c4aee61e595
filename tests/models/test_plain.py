"""Inside `plain_lax` layers are JAX's own operations, and compute the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.models.layers import pooling
from kdjax.models.layers.plain import is_plain, plain_lax
from tests.models.test_models import build


def program(function, *arguments):
    return str(jax.make_jaxpr(function)(*arguments))


@pytest.mark.parametrize("model", ["plain.plain2", "mobilenet.small"])
def test_a_network_is_lax_alone(model):
    """Otherwise the first layer would be multiply-adds, as would depthwise convolutions."""
    network = build(model, (32, 32, 3))
    state = jax.eval_shape(network.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((4, 32, 32, 3), jnp.float32)

    def predict(state, image):
        return network.apply(state, image, train=False)[0].logits

    kernels = sum(leaf.ndim == 4 for leaf in jax.tree.leaves(state.params))
    assert program(predict, state, image).count("conv_general_dilated[") < kernels
    with plain_lax():
        assert is_plain()
        plain = program(lambda *arguments: predict(*arguments), state, image)
    assert not is_plain()
    assert plain.count("conv_general_dilated[") == kernels
    assert "custom_vjp" not in plain


def test_winograd_and_pooling_by_slices_are_left_out():
    network = build("plain.plain8", (32, 32, 3))
    state = jax.jit(network.init)(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (16, 32, 32, 3))

    def predict(image):
        return network.apply(state, image, train=False)[0].logits

    expected = jax.jit(predict)(image)
    with plain_lax():
        logits = jax.jit(lambda image: predict(image))(image)
        assert "dot_general" not in program(lambda x: predict(x), image).split("reshape")[0]
    np.testing.assert_allclose(logits, expected, atol=1e-5)


@pytest.mark.parametrize("padding", [0, 1])
def test_windows_are_those_of_a_padded_array(padding):
    x = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
    pooled = pooling.window_max(jnp.asarray(x), size=3, stride=2, padding=padding)
    np.testing.assert_array_equal(pooled, windows.max(axis=(-2, -1)))
