"""Schedules as pytrees: their values are traced, so changing one never recompiles a step.

Each is a function of the stage's own step, in optimiser updates. `evaluate` turns a pytree that
holds schedules into the same pytree of float32 arrays.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from kdjax.step.types import Array, PyTree


def _progress(step: Array, begin: Array, finish: Array) -> Array:
    """0 until `begin`, 1 from `finish`, linear between; a step function where they coincide."""
    elapsed = jnp.clip((step - begin) / jnp.maximum(finish - begin, 1e-9), 0.0, 1.0)
    return jnp.where(finish > begin, elapsed, (step >= begin).astype(jnp.float32))


class Constant(NamedTuple):
    """`value` at every step."""

    value: Array

    def at(self, step: Array) -> Array:
        del step
        return jnp.asarray(self.value, jnp.float32)


class Linear(NamedTuple):
    """`start` until step `begin`, then a straight line to `end` at step `finish`."""

    start: Array
    end: Array
    begin: Array
    finish: Array

    def at(self, step: Array) -> Array:
        return self.start + (self.end - self.start) * _progress(step, self.begin, self.finish)


class Cosine(NamedTuple):
    """`start` until step `begin`, then half a cosine wave to `end` at step `finish`."""

    start: Array
    end: Array
    begin: Array
    finish: Array

    def at(self, step: Array) -> Array:
        wave = 0.5 * (1.0 - jnp.cos(jnp.pi * _progress(step, self.begin, self.finish)))
        return self.start + (self.end - self.start) * wave


class Exponential(NamedTuple):
    """`start * rate^n`, n whole periods of `every` steps since step `begin`, never past `end`."""

    start: Array
    end: Array
    rate: Array
    every: Array
    begin: Array

    def at(self, step: Array) -> Array:
        periods = jnp.floor(jnp.maximum(step - self.begin, 0.0) / self.every)
        value = self.start * self.rate**periods
        growing = self.end > self.start
        return jnp.where(growing, jnp.minimum(value, self.end), jnp.maximum(value, self.end))


class Steps(NamedTuple):
    """`start`, multiplied by `rate` at each of the `boundaries` `[n]`."""

    start: Array
    rate: Array
    boundaries: Array

    def at(self, step: Array) -> Array:
        passed = jnp.sum((step >= self.boundaries).astype(jnp.float32))
        return self.start * self.rate**passed


class WarmUp(NamedTuple):
    """A line from 0 at step 0 to the value of `after` at step `steps`; then `after`.

    With a cosine that begins at step `steps` it is `optax.warmup_cosine_decay_schedule`.
    """

    steps: Array
    """Greater than 0."""
    after: "Schedule"

    def at(self, step: Array) -> Array:
        scale = jnp.minimum(step / self.steps, 1.0)
        return scale * self.after.at(jnp.maximum(step, self.steps))


class Sum(NamedTuple):
    """`left + right`."""

    left: "Schedule"
    right: "Schedule"

    def at(self, step: Array) -> Array:
        return self.left.at(step) + self.right.at(step)


class Product(NamedTuple):
    """`left * right`."""

    left: "Schedule"
    right: "Schedule"

    def at(self, step: Array) -> Array:
        return self.left.at(step) * self.right.at(step)


Schedule = Constant | Linear | Cosine | Exponential | Steps | WarmUp | Sum | Product


def moves(schedule: Schedule) -> bool:
    """Whether its value changes with the step; decided by its kind alone, so also inside jit."""
    if isinstance(schedule, Sum | Product):
        return moves(schedule.left) or moves(schedule.right)
    return not isinstance(schedule, Constant)


def evaluate(tree: PyTree, step: Array) -> PyTree:
    """Every schedule in `tree` at `step` (an int32 scalar); other leaves stay as they are."""
    position = jnp.asarray(step).astype(jnp.float32)

    def is_schedule(node: object) -> bool:
        return isinstance(node, Schedule)

    return jax.tree.map(
        lambda node: node.at(position) if is_schedule(node) else node, tree, is_leaf=is_schedule
    )
