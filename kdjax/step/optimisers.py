"""Optimisers as directions: the learning rate multiplies what they return, in the step.

Keeping the rate outside makes it a traced value with a schedule of its own and, for SGD, gives
the usual semantics: momentum accumulates gradients, not steps.
"""

from typing import Any

import jax
import optax

from kdjax.step.types import PyTree


def _kernels(params: PyTree) -> PyTree:
    """True for the kernels of dense and convolution layers, False for biases and BatchNorm."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def make(
    *,
    kind: str,
    momentum: float,
    nesterov: bool,
    b1: float,
    b2: float,
    eps: float,
    weight_decay: float,
    decay_all: bool,
    clip_norm: float,
) -> optax.GradientTransformation:
    """The direction of one network's update: the parameters move by minus rate times it.

    Args:
        kind: "sgd" (weight decay coupled, ahead of the momentum) or "adamw" (decoupled).
        momentum: SGD's; 0 keeps no trace.
        nesterov: SGD's look-ahead form.
        b1, b2, eps: AdamW's.
        weight_decay: coefficient; 0 adds nothing.
        decay_all: decay biases and BatchNorm too, not only kernels.
        clip_norm: largest global norm of one network's gradient; 0 does not clip.

    Raises:
        ValueError: for an unknown `kind`.
    """
    decay: list[Any] = []
    if weight_decay:
        decay = [optax.add_decayed_weights(weight_decay, mask=None if decay_all else _kernels)]
    clip = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    if kind == "sgd":
        trace = [optax.trace(momentum, nesterov=nesterov)] if momentum else []
        return optax.chain(optax.identity(), *clip, *decay, *trace)
    if kind == "adamw":
        return optax.chain(*clip, optax.scale_by_adam(b1=b1, b2=b2, eps=eps), *decay)
    raise ValueError(f"unknown optimiser {kind!r}; there are sgd and adamw")
