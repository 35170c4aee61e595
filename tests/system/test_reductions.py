"""The compiler option for reductions changes no value beyond rounding, at odd sizes too.

Some versions of jaxlib compute wrong numbers in fused reductions on a CPU, without a word
(jax issue 39103); the option (`runtime.compiler_options`) chooses another library for reductions.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.losses import at, ce, features, fsp, kd
from kdjax.models.layers import modules
from kdjax.system import runtime

ROWS = (33, 1023, 32_769)


def normalised(x):
    """BatchNorm's output and statistics, with the gradient of the first."""
    layer = modules.batch_norm(True)
    variables = layer.init(jax.random.key(0), x)

    def output(x):
        y, updated = layer.apply(variables, x, mutable=["batch_stats"])
        # Summands of one sign, so that the sum does not cancel.
        return jnp.mean(1.0 + jnp.sin(y)), (y, updated)

    return jax.value_and_grad(output, has_aux=True)(x)


def soft(x):
    return jax.value_and_grad(lambda x: jnp.mean(kd.softmax_kl(x, x[::-1], temperature=3.0)))(x)


def smoothed(x):
    labels = jnp.arange(len(x)) % x.shape[1]
    return jax.value_and_grad(lambda x: jnp.mean(ce.cross_entropy(x, labels, label_smoothing=0.1)))(
        x
    )


def maps(loss):
    return lambda x: jax.value_and_grad(lambda x: jnp.mean(loss(x, jnp.cos(x))))(x)


CASES = {
    "BatchNorm of vectors": (normalised, lambda rows: (rows, 7)),
    "BatchNorm of maps": (normalised, lambda rows: (rows // 32, 5, 7, 9)),
    "soft targets": (soft, lambda rows: (rows, 11)),
    "label smoothing": (smoothed, lambda rows: (rows, 11)),
    "attention": (
        maps(lambda x, y: at.code(x, y)),
        lambda rows: (rows // 32, 5, 7, 9),
    ),
    "features": (maps(features.mse), lambda rows: (rows // 32, 5, 7, 9)),
    "FSP": (maps(lambda x, y: fsp.fsp(x, x, y, y)), lambda rows: (rows // 32, 5, 7, 9)),
}


@pytest.mark.parametrize("case", CASES)
def test_values_are_those_without_library_reductions(case):
    option = runtime.compiler_options()
    if not option:
        pytest.skip("this backend or version of XLA has no such option")
    function, shape = CASES[case]
    without = dict.fromkeys(option, "")
    for rows in ROWS:
        x = jnp.asarray(np.random.default_rng(rows).normal(size=shape(rows)), jnp.float32)
        ours = jax.jit(function, compiler_options=option)(x)
        plain = jax.jit(function, compiler_options=without)(x)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(
                a, b, rtol=2e-5, atol=2e-6 * float(jnp.max(jnp.abs(b)))
            ),
            ours,
            plain,
        )
