"""Formulas: numbers, names, arithmetic and schedules; a wrong formula is refused in one line."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from kdjax.config import formulas
from kdjax.step import schedules
from kdjax.step.types import TEMPERATURE, Range
from kdjax.system.errors import UserError

PER_EPOCH = 7
NAMES = {
    "epochs": 30,
    "alpha": 0.3,
    "twice": "2 * alpha",
    "falling": "linear(1, 0)",
    "a": "b",
    "b": "a",
}


def read(text, per_epoch=PER_EPOCH):
    return formulas.schedule(text, NAMES, per_epoch, "weight")


def at_epochs(text, *epochs):
    return [float(read(text, 1).at(np.float32(epoch))) for epoch in epochs]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (0.5, [0.5, 0.5]),
        ("0.5", [0.5, 0.5]),
        ("alpha", [0.3, 0.3]),
        ("1 - alpha", [0.7, 0.7]),
        ("-alpha + 2 * (twice / 3)", [0.1, 0.1]),
        ("min(1, epochs / 2) + max(2, alpha)", [3, 3]),
        ("falling", [1, 0.5]),
        ("1 - falling", [0, 0.5]),
        ("3 * falling / 2", [1.5, 0.75]),
        ("falling * falling", [1, 0.25]),
        ("linear(1, 4, finish=epochs / 2)", [1, 4]),
        ("cosine(4, 1)", [4, 2.5]),
        ("exponential(1, 8, rate=2, every=5)", [1, 8]),
        ("steps(alpha, 0.1, at=(10, 15))", [0.3, 0.003]),
        ("steps(1, 0.5, at=15)", [1, 0.5]),
        ("constant(2, warm_up=30 / 2)", [0, 2]),
    ],
)
def test_values_at_the_start_and_in_the_middle(text, values):
    assert at_epochs(text, 0, 15) == pytest.approx(values)


def test_only_values_that_change_are_schedules():
    assert isinstance(read("1 - alpha"), schedules.Constant)
    assert not schedules.moves(read("twice"))
    assert schedules.moves(read("alpha * falling"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alhpa", "Did you mean 'alpha'?"),
        ("cosin(1, 0)", "unknown function 'cosin'. Did you mean 'cosine'?"),
        ("linear(1, 0, finnish=3)", "Did you mean 'finish'?"),
        ("linear(1, 0, start=3)", "start of linear comes twice"),
        ("linear(1)", "linear(1) lacks end"),
        ("1 +", "'1 +' is no number and no formula"),
        ("(1, 2)", "'(1, 2)' is no part of a formula"),
        ("__import__('os')", "unknown function"),
        ("alpha ** 2", "'alpha ** 2' is no part of a formula"),
        (True, "True is no number"),
        ("a", "config.b: a depends on itself"),
        ("linear", "linear is a schedule and needs arguments: linear(start, end)"),
        ("1 / 0", "divides by 0"),
        ("1 / falling", "divides by a schedule"),
        (
            "linear(falling, 1)",
            "falling as start of linear is a schedule itself; it must be a number",
        ),
        ("1e30 * 1e30", "e+60; it must be finite, and at most 3.4e+38"),
        ("linear(1, 0, begin=30)", "begin is 30.0; it must be less than the stage's 30 epochs"),
        ("linear(1, 0, begin=9, finish=3)", "finish is 3.0; it must be 9 or later"),
        ("linear(1, 0, finish=1.5, warm_up=2)", "finish is 1.5; it must be 2 or later"),
        ("constant(1, warm_up=30)", "warm_up is 30.0; it must be in [0, 30)"),
        ("exponential(4, 4, rate=0.9)", "end is 4.0; it must be where the schedule is to stop"),
        ("exponential(4, 1, rate=0.9, every=0)", "every is 0.0"),
        ("steps(1, 1, at=(10, 20))", "rate is 1.0; it must be greater than 0, and not 1"),
        ("steps(1, 0.1, at=())", "at is (); it must be rising epochs between 0 and the stage's 30"),
        ("steps(1, 0.1, at=(20, 10))", "at is (20.0, 10.0)"),
        ("steps(1, 0.1, at=(10, 10))", "rising epochs"),
        ("steps(1, 0.1, at=(10, 30))", "rising epochs"),
        ("steps(1, 0.1, at=(0, 10))", "rising epochs"),
        ("steps(1, 0.1, at=(10, 20), warm_up=10)", "epochs between 10 and the stage's 30"),
    ],
    ids=str,
)
def test_a_wrong_formula_is_refused_in_one_line(text, message):
    with pytest.raises(UserError) as error:
        read(text)
    assert message in str(error.value)
    assert "config." in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "allowed", "message"),
    [
        (-0.5, Range(), "config.key is -0.5; it must be 0 or more, and finite"),
        ("alpha - 1", Range(), "config.key (alpha - 1) is -0.7; it must be 0 or more"),
        ("linear(1, -1)", Range(), "(linear(1, -1)) is -0.06667 at epoch 16; it must be 0 or more"),
        ("steps(0.5, 3, at=5)", Range(0, 1), "is 1.5 at epoch 5; it must be in [0, 1]"),
        (0.0, TEMPERATURE, "config.key is 0; it must be in [0.0001, 10000]"),
        ("exponential(4, 1e-9, rate=0.001)", TEMPERATURE, "is 4e-06 at epoch 2"),
        (1.0, Range(0, 1, open_low=True), ""),
        (0.0, Range(0, 1, open_low=True), "config.key is 0; it must be in (0, 1]"),
    ],
    ids=str,
)
def test_ranges_hold_at_every_epoch(value, allowed, message):
    if not message:
        formulas.check(value, NAMES, "key", allowed)
        return
    with pytest.raises(UserError) as error:
        formulas.check(value, NAMES, "key", allowed)
    assert message in str(error.value)


def test_names_are_found_through_other_formulas():
    assert formulas.names_in("twice + cosine(1, 0)", NAMES) == {"twice", "alpha"}
    assert formulas.names_in(0.5, NAMES) == set()
    assert formulas.names_in("a", NAMES) == {"a", "b"}


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
    ("text", "reference"),
    [
        ("cosine(3, 0.5, finish=20, warm_up=4)", optax_cosine),
        ("exponential(3, 0.5, rate=0.7, every=2, warm_up=4)", optax_exponential),
        ("steps(3, 0.1, at=(10, 15), warm_up=4)", optax_steps),
    ],
    ids=lambda x: x.split("(")[0] if isinstance(x, str) else "",
)
@pytest.mark.usefixtures("standard")
def test_a_warm_up_comes_first_as_in_optax(text, reference):
    schedule = read(text)
    steps = jnp.arange(22 * PER_EPOCH)
    found = jax.vmap(lambda step: schedules.evaluate(schedule, step))(steps)
    expected = np.array([float(reference(step)) for step in steps])
    assert expected.max() == 3.0
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


def test_nothing_else_changes_during_a_warm_up():
    """A line that begins in it begins at its end."""
    values = at_epochs("linear(1, 3, begin=1, finish=6, warm_up=2)", 0, 1, 2, 4, 6)
    assert values == pytest.approx([0, 0.5, 1, 2, 3])
