"""A user's own models: all but `nan` return something else than `(logits, features)`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn


class _Own(nn.Module):
    """A dense layer whose logits `[b, k]` are passed to `returns`."""

    classes: int
    returns: Callable[[jax.Array], Any]

    @nn.compact
    def __call__(self, x, *, train):
        return self.returns(nn.Dense(self.classes)(x.reshape(len(x), -1)))


def nan(*, classes, dropout=0.0):
    return _Own(classes, lambda logits: (logits * jnp.nan, {"logits": logits}))


def a_class_too_many(*, classes, dropout=0.0):
    return _Own(classes + 1, lambda logits: (logits, {"logits": logits}))


def scalar(*, classes, dropout=0.0):
    return _Own(classes, jnp.sum)


def nothing(*, classes, dropout=0.0):
    return _Own(classes, lambda logits: None)


def logits_alone(*, classes, dropout=0.0):
    return _Own(classes, lambda logits: logits)


def features_first(*, classes, dropout=0.0):
    return _Own(classes, lambda logits: ({"logits": logits}, logits))
