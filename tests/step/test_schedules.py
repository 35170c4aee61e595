"""Schedules at and between their corners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.step import schedules


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
            schedules.Sum(
                schedules.Constant(*f(1)),
                schedules.Product(schedules.Constant(*f(-1)), schedules.Linear(*f(0.8, 0.5, 0, 3))),
            ),
            {0: 0.2, 1: 0.3, 9: 0.5},
        ),
        (schedules.WarmUp(np.float32(4), schedules.Constant(*f(2))), {0: 0, 1: 0.5, 4: 2, 9: 2}),
    ],
)
def test_values(schedule, expected):
    np.testing.assert_allclose(at(schedule, *expected), list(expected.values()), rtol=1e-5)


def test_evaluate_leaves_other_leaves_and_traces_values():
    tree = {"seed": np.uint32(7), "rate": schedules.Constant(np.float32(2))}
    evaluated = jax.jit(schedules.evaluate)(tree, jnp.int32(0))
    assert evaluated["seed"].dtype == jnp.uint32
    assert evaluated["rate"] == 2.0


def test_a_multiple_of_a_constant_does_not_move():
    constant = schedules.Constant(np.float32(0.5))
    falling = schedules.Linear(*f(1.0, 0.0, 0.0, 10.0))
    assert not schedules.moves(constant)
    for kind in (schedules.Sum, schedules.Product):
        assert not schedules.moves(kind(constant, constant))
        assert schedules.moves(kind(constant, falling))
        assert schedules.moves(kind(falling, constant))
    assert schedules.moves(schedules.WarmUp(np.float32(3), constant))
