"""Flax Linen modules as a `Network` of pure functions."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from kdjax.models.layers.plain import plain_lax
from kdjax.models.networks import quantised
from kdjax.step.types import Array, NetState, Network, Outputs, Preprocessing, PyTree


def network(
    module: nn.Module,
    *,
    image_shape: tuple[int, int, int],
    key_name: str,
    precision: str = "float32",
    remat: bool = False,
    preprocessing: Preprocessing | None = None,
    quantise: str = "",
) -> Network:
    """`module` as a pair of pure functions.

    Args:
        module: maps `[b, h, w, c]` and `train` to `(logits, features)`.
        image_shape: `(h, w, c)` of the images that the module reads.
        key_name: the name that keys initialisation and dropout.
        precision: the dtype of the computation, "float32" or "bfloat16". Parameters, statistics and
            outputs are float32 in both cases.
        remat: recomputes activations for the gradient instead of keeping them, block by block where
            the module has a field `remat`, else for the whole network.
        preprocessing: the network's own; None where it reads the run's images.
        quantise: "int8" trains with weights and activations in 8 bits; predictions stay in float32.

    Raises:
        UserError: a package that quantisation needs is missing.
    """
    in_blocks = remat and "remat" in {field.name for field in dataclasses.fields(module)}
    if in_blocks:
        module = module.clone(remat=True)

    learner = quantised.int8(module) if quantise == quantised.INT8 else module

    def init(key: Array) -> NetState:
        variables = module.init(key, jnp.zeros((1, *image_shape), jnp.float32), train=False)
        return NetState(variables["params"], variables.get("batch_stats", {}))

    def forward(
        params: PyTree, stats: PyTree, image: Array, key: Array | None, train: bool
    ) -> tuple[Outputs, PyTree]:
        variables = {"params": params, "batch_stats": stats}
        if not train:
            return _outputs(module.apply(variables, image, train=False)), stats
        rngs = {} if key is None else {"dropout": key}
        result: Any
        with plain_lax() if quantise else contextlib.nullcontext():
            result = learner.apply(variables, image, train=True, rngs=rngs, mutable=["batch_stats"])
        outputs, updated = result
        return _outputs(outputs), updated.get("batch_stats", {})

    learn = jax.checkpoint(forward, static_argnums=4) if remat and not in_blocks else forward

    def apply(
        state: NetState, image: Array, *, train: bool, key: Array | None = None
    ) -> tuple[Outputs, PyTree]:
        compute = learn if train else forward
        if precision == "float32":
            return compute(*state, image, key, train)
        params, image = jax.tree.map(lambda x: x.astype(precision), (state.params, image))
        # BatchNorm computes statistics in float32 and returns its input's dtype.
        with jax.numpy_dtype_promotion("standard"):
            outputs, stats = compute(params, state.batch_stats, image, key, train)
        return jax.tree.map(lambda x: x.astype(jnp.float32), outputs), stats

    return Network(init, apply, key_name, image_shape, preprocessing)


def _outputs(result: Any) -> Outputs:
    """A module's result as `Outputs`.

    Raises:
        TypeError: the result is not `(logits, features)`.
    """
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping)):
        what = "an array" if hasattr(result, "shape") else type(result).__name__
        raise TypeError(f"it returns {what}, not (logits, features) with features a dict")
    return Outputs(*result)


def output_shapes(network: Network, state: PyTree) -> Outputs:
    """The shapes of a network's outputs on one image; nothing is computed."""
    image = jax.ShapeDtypeStruct((1, *network.image_shape), jnp.float32)
    outputs: Outputs = jax.eval_shape(
        lambda state, image: network.apply(state, image, train=False)[0], state, image
    )
    return outputs


@functools.cache
def head_layers(
    make: Callable[..., nn.Module], image_shape: tuple[int, int, int]
) -> tuple[str, ...]:
    """The names of a model's layers whose parameters depend on the number of classes.

    Args:
        make: the model, a function of `classes` and `dropout`.
        image_shape: `(h, w, c)` of the images that it reads.
    """
    image = jnp.zeros((1, *image_shape), jnp.float32)

    def shapes(classes: int) -> PyTree:
        init = functools.partial(make(classes=classes, dropout=0.0).init, train=False)
        return jax.tree.map(jnp.shape, jax.eval_shape(init, jax.random.key(0), image)["params"])

    two, three = shapes(2), shapes(3)
    return tuple(layer for layer in two if two[layer] != three[layer])


def count(tree: PyTree) -> int:
    """The number of values in a pytree of arrays or shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
