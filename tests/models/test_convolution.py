"""Every way of computing a convolution gives what `lax` gives, and so do its gradients."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from kdjax.models.layers import convolution
from kdjax.models.layers.pooling import max_pool

DIMENSIONS = ("NHWC", "HWIO", "NHWC")
CASES = {
    # Kernel size, channels, stride, padding, side of the image.
    "winograd": (3, (64, 72), 1, ((1, 1), (1, 1)), 6),
    "winograd, SAME": (3, (64, 64), 1, "SAME", 4),
    "odd side": (3, (64, 64), 1, "SAME", 5),
    "one channel": (3, (1, 4), 1, "VALID", 6),
    "three channels": (3, (3, 4), 1, "SAME", 6),
    "stride": (3, (64, 64), 2, ((1, 1), (1, 1)), 6),
    "stem": (7, (3, 4), 2, ((3, 3), (3, 3)), 9),
    "point": (1, (5, 4), 1, "SAME", 4),
}


@pytest.fixture
def every_size(monkeypatch):
    monkeypatch.setattr(convolution, "_WINOGRAD_PRODUCTS", 0)


def arrays(size, channels, side, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, side, side, channels[0])).astype(np.float32)
    kernel = rng.normal(size=(size, size, *channels)).astype(np.float32)
    return jnp.asarray(x), jnp.asarray(kernel)


@pytest.mark.usefixtures("every_size")
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_those_of_lax(case):
    size, channels, stride, padding, side = CASES[case]
    x, kernel = arrays(size, channels, side)

    def ours(x, kernel):
        return convolution.convolution(x, kernel, (stride, stride), padding)

    def reference(x, kernel):
        strides = (stride, stride)
        return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=DIMENSIONS)

    def both(convolve):
        """The prediction, the result where it is differentiated, and both gradients."""
        output, pull = jax.vjp(convolve, x, kernel)
        return (
            convolve(x, kernel),
            output,
            *pull(jnp.cos(jnp.arange(output.size).reshape(output.shape))),
        )

    for result, expected in zip(both(ours), both(reference), strict=True):
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(result, expected, rtol=0, atol=3e-6 * scale)


@pytest.mark.usefixtures("every_size")
def test_winograds_way_is_taken_and_makes_no_convolution():
    def text(case, differentiate):
        size, channels, stride, padding, side = CASES[case]
        x, kernel = arrays(size, channels, side)

        def convolve(x):
            return convolution.convolution(x, kernel, (stride, stride), padding).sum()

        function = jax.grad(convolve) if differentiate else convolve
        return str(jax.make_jaxpr(function)(x))

    assert "conv_general_dilated" not in text("winograd", False)
    assert "conv_general_dilated" in text("odd side", False)
    assert "conv_general_dilated" not in text("one channel", False)
    assert "conv_general_dilated" in text("one channel", True)


@pytest.mark.usefixtures("every_size")
def test_kernels_of_several_members_at_once():
    x, kernel = arrays(3, (64, 64), 4)
    kernels = jnp.stack([kernel, 2 * kernel])

    def loss(kernel):
        return jnp.sum(convolution.convolution(x, kernel, (1, 1), "SAME") ** 2)

    gradient = jax.jit(jax.grad(loss))
    single = jnp.stack([gradient(kernel) for kernel in kernels])
    several = jax.jit(jax.vmap(jax.grad(loss)))(kernels)
    np.testing.assert_allclose(several, single, rtol=1e-4, atol=1e-2)


def test_what_is_not_plain_is_left_to_lax():
    x, kernel = arrays(3, (4, 4), 6)
    for rest in ({"rhs_dilation": (2, 2)}, {"lhs_dilation": (2, 2)}):
        options: dict[str, Any] = rest | {"dimension_numbers": DIMENSIONS}
        pads = ((2, 1), (1, 2))
        result = convolution.convolution(x, kernel, (1, 1), pads, **options)
        expected = lax.conv_general_dilated(x, kernel, (1, 1), pads, **options)
        np.testing.assert_array_equal(result, expected)
    grouped = kernel[:, :, :2]
    options = dict(feature_group_count=2, dimension_numbers=DIMENSIONS)
    result = convolution.convolution(x, grouped, (1, 1), "SAME", **options)
    expected = lax.conv_general_dilated(x, grouped, (1, 1), "SAME", **options)
    np.testing.assert_array_equal(result, expected)


DEPTHWISE = {
    # Kernel's height and width, strides, padding, height and width of the image.
    "3x3": ((3, 3), (1, 1), ((1, 1), (1, 1)), (7, 5)),
    "3x3, SAME, stride 2, even": ((3, 3), (2, 2), "SAME", (8, 6)),
    "3x3, SAME, stride 2, odd": ((3, 3), (2, 2), "SAME", (7, 9)),
    "3x3, symmetric, stride 2, even": ((3, 3), (2, 2), ((1, 1), (1, 1)), (8, 6)),
    "3x3, symmetric, stride 2, odd": ((3, 3), (2, 2), ((1, 1), (1, 1)), (9, 7)),
    "5x5": ((5, 5), (1, 1), "SAME", (6, 7)),
    "5x5, SAME, stride 2, odd": ((5, 5), (2, 2), "SAME", (9, 7)),
    "5x5, symmetric, stride 2, even": ((5, 5), (2, 2), ((2, 2), (2, 2)), (8, 10)),
    "5x5, image smaller than the kernel": ((5, 5), (2, 2), "SAME", (2, 3)),
    "VALID, rows that no filter reads": ((3, 3), (2, 2), "VALID", (8, 10)),
    "more padding than the kernel": ((3, 3), (1, 1), ((4, 0), (0, 5)), (4, 5)),
    "negative padding": ((3, 3), (1, 1), ((-1, 1), (1, -1)), (6, 7)),
    "unequal sides and strides": ((3, 5), (2, 3), ((2, 0), (1, 3)), (9, 11)),
}


@pytest.mark.parametrize("case", DEPTHWISE)
def test_depthwise_values_and_gradients_are_those_of_lax(case):
    size, strides, padding, sides = DEPTHWISE[case]
    rng = np.random.default_rng(1)
    channels = 6
    x = jnp.asarray(rng.normal(size=(3, *sides, channels)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(*size, 1, channels)), jnp.float32)
    options = {"feature_group_count": channels, "dimension_numbers": DIMENSIONS}

    def both(convolve):
        @jax.jit
        def values(x, kernel):
            output, pull = jax.vjp(
                lambda x, kernel: convolve(x, kernel, strides, padding, **options), x, kernel
            )
            weight = jnp.cos(jnp.arange(output.size, dtype=jnp.float32).reshape(output.shape))
            return output, *pull(weight)

        return values(x, kernel)

    for result, expected in zip(
        both(convolution.convolution), both(lax.conv_general_dilated), strict=True
    ):
        assert result.shape == expected.shape
        scale = float(jnp.abs(expected).max())
        np.testing.assert_allclose(result, expected, rtol=0, atol=3e-6 * scale)


def test_depthwise_makes_no_convolution_and_several_members_are_each_their_own():
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.normal(size=(2, 5, 5, 4)), jnp.float32)
    kernels = jnp.asarray(rng.normal(size=(3, 3, 3, 1, 4)), jnp.float32)

    def loss(kernel):
        convolved = convolution.convolution(
            x, kernel, (1, 1), "SAME", feature_group_count=4, dimension_numbers=DIMENSIONS
        )
        return jnp.sum(convolved**2)

    gradient = jax.grad(loss)
    assert "conv_general_dilated" not in str(jax.make_jaxpr(gradient)(kernels[0]))
    single = jnp.stack([gradient(kernel) for kernel in kernels])
    np.testing.assert_allclose(jax.vmap(gradient)(kernels), single, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("side", [4, 5])
def test_pooling_is_the_maximum_of_each_window_and_equals_share_the_gradient(side):
    x, _ = arrays(1, (3, 1), side)
    x = jnp.maximum(x, 0.0)  # With ties among zeros.
    window = (1, 2, 2, 1)
    reference = lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")
    np.testing.assert_array_equal(max_pool(x), reference)
    output, pull = jax.vjp(max_pool, x)
    np.testing.assert_array_equal(output, reference)
    (back,) = pull(jnp.ones_like(output))
    assert back.shape == x.shape
    even = side // 2 * 2
    windows = np.asarray(back)[:, :even, :even].reshape(2, even // 2, 2, even // 2, 2, 3)
    np.testing.assert_allclose(windows.sum((2, 4)), 1.0, rtol=1e-6)
    first = np.asarray(x)[0, :2, :2, 0]
    share = (first == first.max()) / (first == first.max()).sum()
    np.testing.assert_allclose(back[0, :2, :2, 0], share, rtol=1e-6)
