"""Quantisation-aware training: a Flax module that computes with 8-bit weights and activations.

Every convolution and dense layer reads weights and activations that are rounded to 8 bits and back,
as in files of `kdjax.interchange.int8`: weights with a scale for each output channel, activations
with one range for the tensor. The gradient passes through the rounding (straight-through estimator;
Jacob et al., arXiv:1712.05877, section 3). Parameters stay float32, under the same names.
"""

from typing import Any

import jax
from flax import linen as nn

from kdjax.step.types import Array
from kdjax.system import packages

INT8 = "int8"


def int8(module: nn.Module) -> nn.Module:
    """The module with 8-bit layers, to be applied inside `plain_lax`.

    Raises:
        UserError: qwix is missing.
    """
    packages.require(["qwix"], "quantise=int8")
    import qwix

    def rounded(array: Array, **how: Any) -> Array:
        quantised = qwix.quantize(jax.lax.stop_gradient(array), "int8", **how)
        # The rounded value, with the gradient of the array.
        return array + jax.lax.stop_gradient(qwix.dequantize(quantised) - array)

    class Rounding(qwix.QuantizationProvider):
        """Takes the place of `lax`'s convolution and product inside the module."""

        def get_intercept_map(self) -> dict[str, Any]:
            return super().get_intercept_map() | {
                "jax.lax.conv_general_dilated": self.conv_general_dilated,
                "jax.lax.dot_general": self.dot_general,
            }

        def conv_general_dilated(self, lhs: Array, rhs: Array, *rest: Any, **named: Any) -> Array:
            activation = rounded(lhs, calibration_method="minmax")
            kernel = rounded(rhs, channelwise_axes=(rhs.ndim - 1,))
            return jax.lax.conv_general_dilated(activation, kernel, *rest, **named)

        def dot_general(self, lhs: Array, rhs: Array, dims: Any, *rest: Any, **named: Any) -> Array:
            _, batch_axes = dims
            # A product with batch axes is attention's, of two activations.
            if not any(batch_axes) and rhs.ndim == 2:
                lhs = rounded(lhs, calibration_method="minmax")
                rhs = rounded(rhs, channelwise_axes=(1,))
            return jax.lax.dot_general(lhs, rhs, dims, *rest, **named)

    quantised: nn.Module = qwix.quantize_model(module, Rounding([]))
    return quantised
