"""Prints how far compiled gradients are from op-by-op ones, for models at sizes and batches.

    python -m tests.models.gradients [--float64] MODEL,SIZE,BATCH,CHANNELS ...

For each: the relative norm of the difference of the whole gradient, and the largest of any leaf.
"""

import json
import sys

import jax
import jax.numpy as jnp

from kdjax import discover, runtime
from kdjax.models import linen


def gradient_error(name, size, batch, channels, dtype):
    """Of `sum(logits * g)` in training mode, with the compiler options of a real run."""
    shape = (size, size, channels)
    module = discover.model(name)(classes=10, dropout=0.0)
    network = linen.network(module, image_shape=shape, key_name=name)
    state = jax.tree.map(lambda x: x.astype(dtype), jax.jit(network.init)(jax.random.key(0)))
    image = jax.random.normal(jax.random.key(1), (batch, *shape), dtype)
    weight = jax.random.normal(jax.random.key(2), (batch, 10), dtype) / batch

    def loss(params):
        outputs, _ = network.apply(state._replace(params=params), image, train=True)
        return jnp.sum(outputs.logits * weight)

    differentiate = jax.grad(loss)
    compiled = jax.jit(differentiate, compiler_options=runtime.compiler_options())(state.params)
    with jax.disable_jit():
        exact = differentiate(state.params)
    difference = jax.tree.map(jnp.subtract, compiled, exact)
    # Biases ahead of BatchNorm have no gradient, on either side.
    leaves = [
        float(jnp.linalg.norm(d) / jnp.linalg.norm(e)) if jnp.any(e) else float(jnp.linalg.norm(d))
        for d, e in zip(jax.tree.leaves(difference), jax.tree.leaves(exact), strict=True)
    ]
    return norm(difference) / norm(exact), max(leaves)


def norm(tree):
    return float(jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree))))


if __name__ == "__main__":
    cases = sys.argv[1:]
    dtype = jnp.float32
    if cases[0] == "--float64":
        jax.config.update("jax_enable_x64", True)
        cases, dtype = cases[1:], jnp.float64
    errors = {}
    for case in cases:
        name, *numbers = case.split(",")
        errors[case] = gradient_error(name, *map(int, numbers), dtype)
    print(json.dumps(errors))
