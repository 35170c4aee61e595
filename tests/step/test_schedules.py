"""Schedules at and between their corners."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import parts
from kdjax.config import build_terms
from kdjax.step import schedules
from kdjax.system.errors import UserError


def f(*values):
    return [np.float32(v) for v in values]


def at(schedule, *steps):
    return [float(schedules.evaluate(schedule, jnp.int32(step))) for step in steps]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (schedules.Constant(*f(3)), {0: 3, 100: 3}),
        (schedules.Linear(*f(1, 3, 10, 20)), {0: 1, 10: 1, 15: 2, 20: 3, 99: 3}),
        (schedules.Linear(*f(0, 1, 0, 0)), {0: 1, 5: 1}),
        (schedules.Linear(*f(0, 1, 4, 4)), {0: 0, 3: 0, 4: 1, 5: 1}),
        (schedules.Cosine(*f(1, 0, 0, 10)), {0: 1, 5: 0.5, 10: 0, 11: 0}),
        (
            schedules.Exponential(*f(0.8, 0.5, 0.95, 10, 0)),
            {0: 0.8, 9: 0.8, 10: 0.76, 25: 0.8 * 0.95**2, 1000: 0.5},
        ),
        (schedules.Exponential(*f(1, 8, 2, 1, 0)), {0: 1, 2: 4, 3: 8, 9: 8}),
        (schedules.Exponential(*f(1, 8, 2, 1, 3)), {0: 1, 3: 1, 4: 2, 5: 4}),
        (
            schedules.Steps(np.float32(1), np.float32(0.1), np.float32([5, 8])),
            {0: 1, 4: 1, 5: 0.1, 7: 0.1, 8: 0.01},
        ),
        (
            schedules.Affine(np.float32(1), np.float32(-1), schedules.Linear(*f(0.8, 0.5, 0, 3))),
            {0: 0.2, 1: 0.3, 9: 0.5},
        ),
        (schedules.WarmUp(np.float32(4), schedules.Constant(*f(2))), {0: 0, 1: 0.5, 4: 2, 9: 2}),
    ],
)
def test_values(schedule, expected):
    np.testing.assert_allclose(at(schedule, *expected), list(expected.values()), rtol=1e-5)


PER_EPOCH = 7


def optax_cosine(steps):
    return optax.warmup_cosine_decay_schedule(0.0, 3.0, 4 * PER_EPOCH, 20 * PER_EPOCH, 0.5)(steps)


def optax_exponential(steps):
    return optax.warmup_exponential_decay_schedule(
        0.0, 3.0, 4 * PER_EPOCH, 2 * PER_EPOCH, 0.7, staircase=True, end_value=0.5
    )(steps)


def optax_steps(steps):
    warm_up = optax.linear_schedule(0.0, 3.0, 4 * PER_EPOCH)
    # Counted from the end of the warm-up.
    after = optax.piecewise_constant_schedule(3.0, {6 * PER_EPOCH: 0.1, 11 * PER_EPOCH: 0.1})
    return optax.join_schedules([warm_up, after], [4 * PER_EPOCH])(steps)


@pytest.mark.parametrize(
    ("changes", "reference"),
    [
        (dict(kind="cosine", end=0.5, finish=20.0), optax_cosine),
        (dict(kind="exponential", end=0.5, rate=0.7, every=2.0), optax_exponential),
        (dict(kind="steps", rate=0.1, boundaries=(10, 15)), optax_steps),
    ],
    ids=lambda x: x.get("kind") if isinstance(x, dict) else "",
)
@pytest.mark.usefixtures("standard")
def test_a_warm_up_comes_first_as_in_optax(changes, reference):
    config = parts.schedule(3.0, warm_up=4.0, **changes)
    schedule = build_terms.schedule(config, PER_EPOCH, "")
    steps = jnp.arange(22 * PER_EPOCH)
    found = jax.vmap(lambda step: schedules.evaluate(schedule, step))(steps)
    expected = np.array([float(reference(step)) for step in steps])
    assert expected.max() == 3.0
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


def test_nothing_else_changes_during_a_warm_up():
    """A line that begins in it begins at its end."""
    config = parts.schedule(1.0, kind="linear", end=3.0, begin=1.0, finish=6.0, warm_up=2.0)
    schedule = build_terms.schedule(config, 10, "")
    assert at(schedule, 0, 10, 20, 40, 60) == pytest.approx([0, 0.5, 1, 2, 3])
    config.finish = 1.5
    with pytest.raises(UserError, match=r"epoch 1.5, before its warm-up of 2.0 epochs ends"):
        build_terms.schedule(config, 10, "weight")


def test_evaluate_leaves_other_leaves_and_traces_values():
    tree = {"seed": np.uint32(7), "rate": schedules.Constant(np.float32(2))}
    evaluated = jax.jit(schedules.evaluate)(tree, jnp.int32(0))
    assert evaluated["seed"].dtype == jnp.uint32
    assert evaluated["rate"] == 2.0


def test_a_multiple_of_a_constant_does_not_move():
    constant = schedules.Constant(np.float32(0.5))
    falling = schedules.Linear(*f(1.0, 0.0, 0.0, 10.0))
    assert not schedules.moves(constant)
    assert not schedules.moves(schedules.Affine(np.float32(1), np.float32(-1), constant))
    assert schedules.moves(schedules.Affine(np.float32(1), np.float32(-1), falling))
    assert schedules.moves(schedules.WarmUp(np.float32(3), constant))
