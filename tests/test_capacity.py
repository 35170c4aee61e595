"""How many members are trained at once, from the memory that a device says it has."""

import jax
import pytest

from configs import kd
from kdjax import build, capacity, fit, parallel, sweep
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
        return plan, *capacity.needs(plan, plan.stages[-1])


def fitted(plan, limit, monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda: [Device(limit)])
    stage = capacity.fitted(plan).stages[-1]
    assert stage.steps_per_call == 1
    return stage.program.swept.together


@pytest.mark.parametrize(("fits", "together"), [(6, 0), (5, 3), (3, 3), (2, 2), (1, 1)])
def test_groups_are_even_and_fit(fits, together, grid, monkeypatch):
    plan, shared, each = grid
    assert fitted(plan, (shared + (fits + 0.5) * each) / 0.8, monkeypatch) == together


def test_what_was_asked_for_stays_and_without_a_limit_all_fit(grid, monkeypatch):
    plan, shared, each = grid
    assert fitted(plan, None, monkeypatch) == 0
    program = plan.stages[-1].program
    asked = program._replace(swept=program.swept._replace(together=5))
    plan = plan._replace(stages=(*plan.stages[:-1], plan.stages[-1]._replace(program=asked)))
    assert fitted(plan, (shared + 1.5 * each) / 0.8, monkeypatch) == 5


def test_what_does_not_fit_is_refused(grid, monkeypatch):
    plan, shared, each = grid
    with pytest.raises(UserError, match="one member takes .* lower config.batch_size"):
        fitted(plan, (shared + each / 2) / 0.8, monkeypatch)
    several = plan._replace(steps_per_call=4)
    with pytest.raises(UserError, match="'student' 2 of 6 do"):
        fitted(several, (shared + 2.5 * each) / 0.8, monkeypatch)


def test_a_members_need_is_more_than_its_state(grid):
    plan, shared, each = grid
    assert shared > plan.data.nbytes
    # Parameters, two moments, and the best so far, of 3,162 numbers; activations beside them.
    assert each > 4 * 4 * 3_162


@pytest.mark.slow
def test_members_together_take_no_more_than_was_planned(grid):
    """By XLA's plan of the real step, as one computation over all members."""
    plan, shared, each = grid
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
    assert analysis.temp_size_in_bytes + analysis.output_size_in_bytes <= shared + 6 * each
