"""A stage of one member in shapes alone: what is known of its step before anything is computed."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from kdjax.config.plan import Plan, Stage
from kdjax.step import members, step
from kdjax.step.types import Array, Batch, Observed, StageCode, TrainState


class Outline(NamedTuple):
    """Arguments of `learn`, as shapes; of several members, any one's: the others are alike."""

    code: StageCode
    hyper: Any
    observe: Callable[[Any], Observed]
    """Of a batch of zeros, from the frozen networks' variables."""
    observed: Observed
    state: TrainState
    key: Array

    def learn(self, observed: Observed, state: TrainState, key: Array) -> Any:
        """One update."""
        return step.learn(self.code, state, observed, self.hyper, key)


def of(plan: Plan, stage: Stage, frozen: Mapping[str, Any], examples: int = 2) -> Outline:
    """A stage on batches of so many examples.

    Args:
        plan: the run's.
        stage: of the plan.
        frozen: variables of the networks that it does not train, or their shapes.
        examples: in a batch.
    """
    swept, shape = stage.code.swept, plan.data.image_shape
    code = swept.base if swept else stage.code
    hyper = next(iter(stage.hyper.values())) if swept else stage.hyper
    label = plan.data.splits["train"].label

    def batch() -> Batch:
        given = jnp.zeros((examples, *label.shape[1:]), label.dtype)
        image = jnp.zeros((examples, *shape), jnp.uint8)
        return Batch(image, given, jnp.zeros(examples, jnp.int32), jnp.ones(examples))

    def observe(frozen: Any) -> Observed:
        return step.observe(code, frozen, batch(), jnp.int32(0), hyper.data_seed)

    def initial(frozen: Any) -> TrainState:
        return members.initial_state(code, hyper, frozen, shape)

    return Outline(
        code,
        hyper,
        observe,
        jax.eval_shape(observe, frozen),
        jax.eval_shape(initial, frozen),
        jax.eval_shape(functools.partial(jax.random.key, 0)),
    )
