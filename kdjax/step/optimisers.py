"""Optimisers of optax by name, as directions: the step multiplies them by the learning rate.

Keeping the learning rate outside makes it a traced value with a schedule of its own and, for SGD,
gives the usual semantics: momentum accumulates gradients, not steps.
"""

import ast
import functools
import inspect
import types
from typing import Any

import jax
import jax.numpy as jnp
import optax

from kdjax.step.types import PyTree
from kdjax.system import discover

_MASKS = ("mask", "weight_decay_mask")
"""The names that optax has for the mask of weights that decay."""


def _kernels(params: PyTree) -> PyTree:
    """True for the kernels of dense and convolution layers, False for biases and BatchNorm."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


def make(
    text: str, *, weight_decay: float, decay_all: bool, clip_norm: float
) -> optax.GradientTransformation:
    """The direction of one network's update: the parameters move by minus the rate times it.

    Args:
        text: a function of optax that takes a `learning_rate`, with settings of its own, as
            `adamw` or `sgd(momentum=0.9, nesterov=True)`.
        weight_decay: coefficient; 0 decays nothing. It is the optimiser's own where it has that
            setting (decoupled, as in AdamW), else the decayed weights are added to the gradient
            (coupled, as in SGD).
        decay_all: whether biases and BatchNorm decay too, not only kernels.
        clip_norm: largest global norm of one network's gradient; 0 does not clip.

    Raises:
        ValueError: there is no such optimiser, it has no such setting, or it needs more than
            gradients.
    """
    name, settings = _parse(text)
    known = _optimisers()
    if name not in known:
        raise ValueError(str(discover.unknown("optimiser", name, known)))
    parameters = inspect.signature(known[name]).parameters
    if reserved := {"learning_rate", "weight_decay", *_MASKS} & settings.keys():
        raise ValueError(f"{', '.join(sorted(reserved))} has a key of its own in the config")
    mask = None if decay_all else _kernels
    coupled = []
    if "weight_decay" in parameters:
        settings["weight_decay"] = weight_decay
        settings |= {key: mask for key in _MASKS if key in parameters}
    elif weight_decay:
        coupled = [optax.add_decayed_weights(weight_decay, mask=mask)]
    clip = [optax.clip_by_global_norm(clip_norm)] if clip_norm else []
    try:
        # A rate of 1 gives minus the direction.
        core = known[name](1.0, **settings)
    except TypeError as error:
        raise ValueError(f"{name} of optax does not fit: {error}") from error
    optimiser = optax.chain(*clip, *coupled, core, optax.scale(-1.0))
    params = {"kernel": jnp.zeros((2, 2))}
    try:
        # Optax's bias correction raises a float to an integer power.
        with jax.numpy_dtype_promotion("standard"):
            jax.eval_shape(lambda p: optimiser.update(p, optimiser.init(p), p), params)
    except TypeError as error:
        raise ValueError(
            f"{name} of optax needs more than gradients (a line search, for one); choose another"
        ) from error
    return optimiser


def _optimisers() -> dict[str, Any]:
    """The functions of optax that make an optimiser from a learning rate, by name."""
    return {
        name: function
        for name, function in sorted(vars(optax).items())
        if isinstance(function, types.FunctionType | functools.partial)
        and not name.startswith(("_", "scale_by"))
        and next(iter(inspect.signature(function).parameters), "") == "learning_rate"
    }


def _parse(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the settings in `sgd(momentum=0.9)`."""
    try:
        call = ast.parse(text if "(" in text else f"{text}()", mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
            settings = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
            if all(isinstance(value, int | float) for value in settings.values()):
                return call.func.id, settings
    except (SyntaxError, ValueError):
        pass
    raise ValueError(
        f"{text!r} is no optimiser: the form is sgd(momentum=0.9), with numbers or True or False"
    )
