"""Prints how far compiled gradients are from op-by-op ones, for models at sizes and batches.

    python -m tests.models.gradients [--float64|--fsp] MODEL,SIZE,BATCH,CHANNELS ...

For each: the relative norm of the difference of the whole gradient, and the largest of any leaf.
Where that is above FLIPPED, also how far the compiled and the op-by-op gradient are from that in
double precision: in a deep network, single ReLUs that are decided the other way add up.
The gradient is that of `sum(logits * g)`, or with --fsp of the FSP loss between the third stage's
first map and the fourth's last, which are pooled to one size.
"""

import json
import sys

import jax
import jax.numpy as jnp

from kdjax.losses.fsp import fsp
from kdjax.models.networks import linen
from kdjax.system import discover, runtime

FLIPPED = 2e-2
"""What one maximum or ReLU may change that is decided the other way; most cases are below 1e-5."""


def gradient_error(name, size, batch, channels, *, dtype, with_fsp):
    """In training mode, with the compiler options of a real run."""
    shape = (size, size, channels)
    module = discover.model(name)(classes=10, dropout=0.0)
    network = linen.network(module, image_shape=shape, key_name=name)
    state = jax.tree.map(lambda x: x.astype(dtype), jax.jit(network.init)(jax.random.key(0)))
    image = jax.random.normal(jax.random.key(1), (batch, *shape), dtype)
    weight = jax.random.normal(jax.random.key(2), (batch, 10), dtype) / batch

    def outputs(params):
        kind = jax.tree.leaves(params)[0].dtype
        double = jax.tree.map(lambda x: x.astype(kind), state)
        return network.apply(double._replace(params=params), image.astype(kind), train=True)[0]

    def loss(params):
        result = outputs(params)
        if with_fsp:
            return fsp(
                result.features["stage3_first"],
                result.features["stage4_last"],
                targets["stage3_first"],
                targets["stage4_last"],
            ).sum()
        return jnp.sum(result.logits * weight.astype(result.logits.dtype))

    targets = {}
    if with_fsp:
        shapes = jax.eval_shape(outputs, state.params).features
        targets = {
            layer: jax.random.normal(jax.random.key(3), shapes[layer].shape, dtype)
            for layer in ("stage3_first", "stage4_last")
        }

    differentiate = jax.grad(loss)
    compiled = jax.jit(differentiate, compiler_options=runtime.compiler_options())(state.params)
    with jax.disable_jit():
        exact = differentiate(state.params)
    difference = jax.tree.map(jnp.subtract, compiled, exact)
    # Biases ahead of BatchNorm have no gradient, on either side.
    leaves = [
        norm(d) / (norm(exact) if _is_rounding(path) else norm(e)) if jnp.any(e) else norm(d)
        for (path, d), e in zip(
            jax.tree.leaves_with_path(difference), jax.tree.leaves(exact), strict=True
        )
    ]
    errors = [norm(difference) / norm(exact), max(leaves)]
    if max(errors) < FLIPPED:
        return errors
    jax.config.update("jax_enable_x64", True)
    truth = jax.jit(differentiate)(jax.tree.map(jnp.float64, state.params))
    errors += [norm(jax.tree.map(jnp.subtract, g, truth)) / norm(truth) for g in (compiled, exact)]
    jax.config.update("jax_enable_x64", False)
    return errors


def _is_rounding(path):
    """Whether a leaf's gradient is rounding alone: its true gradient is 0.

    A linear block's last bias only shifts the input of the next block's convolution, and BatchNorm
    behind that subtracts the shift again.
    """
    return jax.tree_util.keystr(path).endswith("['project']['norm']['bias']")


def norm(tree):
    return float(jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree))))


if __name__ == "__main__":
    options = [argument for argument in sys.argv[1:] if argument.startswith("--")]
    double = "--float64" in options
    jax.config.update("jax_enable_x64", double)
    errors = {}
    for case in sys.argv[1 + len(options) :]:
        name, *numbers = case.split(",")
        errors[case] = gradient_error(
            name,
            *map(int, numbers),
            dtype=jnp.float64 if double else jnp.float32,
            with_fsp="--fsp" in options,
        )
    print(json.dumps(errors))
