"""How many members are trained at once, from the memory that a device says it has."""

import jax
import pytest

from configs import kd
from kdjax import build, capacity, execution, fit, parallel, sweep
from kdjax.errors import UserError
from tests.helpers import small

pytestmark = pytest.mark.usefixtures("standard")


class Device:
    """With so much memory."""

    def __init__(self, limit):
        self._limit = limit

    def memory_stats(self):
        return {"bytes_limit": self._limit} if self._limit else None


@pytest.fixture(scope="module")
def grid():
    """A plan of six members, and what they share and each needs."""
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        one = jax.local_devices()[:1]
        patch.setattr(jax, "local_devices", lambda: one)
        axes = [("alpha", [0.1, 0.5, 0.9])]
        config = small(kd, "digits,baseline=0")
        plan = build.plan(sweep.grid(config, axes, 2, mode="vmap"), 1)
        return plan, capacity.needs(plan, plan.stages[-1])


def settled(plan, limit, monkeypatch, began=None):
    """Members in a call, and steps, of the last stage, as an accelerator with so much memory."""
    monkeypatch.setattr(jax, "local_devices", lambda: [Device(limit)])
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    stage = execution.settle(plan, began or {}).stages[-1]
    return stage.program.swept.together, stage.steps_per_call


def limit(needs, fits):
    """Of memory in which so many of six members can be trained in one call."""
    return (needs.shared + 6 * needs.kept + fits * needs.working) / 0.8


@pytest.mark.parametrize(("fits", "together"), [(6, 0), (5, 3), (3, 3), (2, 2), (1, 1), (0, 1)])
def test_groups_are_even_and_fit(fits, together, grid, monkeypatch):
    plan, needs = grid
    # All at once can be a loop; groups cannot.
    steps = 1 if together else execution.STEPS_PER_CALL
    assert settled(plan, limit(needs, fits + 0.5), monkeypatch) == (together, steps)


def test_what_was_asked_for_stays_and_without_a_limit_all_fit(grid, monkeypatch):
    plan, needs = grid
    assert settled(plan, None, monkeypatch) == (0, execution.STEPS_PER_CALL)
    program = plan.stages[-1].program
    asked = program._replace(swept=program.swept._replace(together=5))
    asked = plan._replace(stages=(*plan.stages[:-1], plan.stages[-1]._replace(program=asked)))
    assert settled(asked, limit(needs, 1.5), monkeypatch) == (5, 1)
    several = plan._replace(steps_per_call=4)
    assert settled(several, limit(needs, 6.5), monkeypatch) == (0, 4)
    with pytest.raises(UserError, match="'student' 2 of 6 do"):
        settled(several, limit(needs, 2.5), monkeypatch)


def test_a_stage_goes_on_as_it_began(grid, monkeypatch):
    plan, needs = grid
    began = {"student": {"steps_per_call": 1, "vmap": True, "together": 2}}
    assert settled(plan, limit(needs, 6.5), monkeypatch, began) == (2, 1)
    # Versions before several steps a call had one, and all members together.
    assert settled(plan, limit(needs, 1.5), monkeypatch, {"student": {}}) == (0, 1)


def test_a_member_takes_at_least_its_state(grid):
    plan, needs = grid
    assert needs.shared > plan.data.nbytes
    # Parameters, two moments, and the best so far, of 3,162 numbers, with copies.
    assert needs.kept > 2 * 4 * 4 * 3_162
    assert needs.working > 32 * 8 * 8 * 4


@pytest.mark.slow
def test_members_together_take_no_more_than_was_planned(grid):
    """By XLA's plan of the real step, as one computation over all members."""
    plan, needs = grid
    stage = plan.stages[-1]
    layout = parallel.make("jit", jax.local_devices()[:1])
    frozen = {"teacher": jax.jit(stage.program.networks["teacher"].init)(jax.random.key(0))}

    @jax.jit
    def initialise(hyper):
        return fit.initial_state(stage.program, hyper, frozen, plan.data.image_shape)

    batches = layout.feed(plan.data.splits["train"]).training(
        batch_size=stage.batch_size, seed=0, epochs=1, first=0
    )
    step = layout.train_step(stage.program)
    lowered = step.lower(initialise(stage.hyper), frozen, stage.hyper, *next(batches))
    analysis = lowered.compile().memory_analysis()
    assert analysis.temp_size_in_bytes <= 6 * needs.working + needs.shared - plan.data.nbytes
    # And not many times less, or groups would be smaller than they could be.
    assert analysis.temp_size_in_bytes >= 0.5 * 6 * needs.working
