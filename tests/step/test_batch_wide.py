"""Terms that relate examples, or keep memory, see the global batch on every layout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.data.store import Images
from kdjax.data.types import Split
from kdjax.step import step, tasks
from kdjax.step.step import check_loss
from kdjax.step.types import Loss, Term, TermState
from kdjax.terms import ce, no_state
from kdjax.training import layouts
from tests import helpers

BATCH, STEPS = 16, 3
BANK = 32


def similarity(over, *, batch_wide=True):
    """A relational term with a projector, a metric, and a bank in which every example has a row.

    The student's similarities of all pairs of examples are to be the teacher's. Random rows of the
    bank are pulled on, so that a key that differs between devices shows.
    """

    def init(key, outputs, training_set):
        k = outputs["student"].logits.shape[-1]
        return TermState({"projector": jnp.eye(k)}, {"bank": jnp.zeros((BANK, k))})

    def loss(state, context):
        student = context.outputs["student"].logits @ state.params["projector"]
        teacher = jax.lax.stop_gradient(context.outputs["teacher"].logits)
        difference = student @ student.T - teacher @ teacher.T
        drawn = jax.random.randint(context.key, (3,), 0, BANK)
        pull = jnp.sum((student[:, None] - state.memory["bank"][drawn][None]) ** 2, axis=(1, 2))
        values = jnp.mean(difference**2, axis=1) + 0.1 * pull
        bank = state.memory["bank"].at[context.batch.id].set(jax.lax.stop_gradient(student))
        largest = jnp.max(jnp.abs(difference))
        value = values if over == "examples" else jnp.mean(values)
        return Loss(value, over, {"largest": largest, "pull": pull}, {"bank": bank})

    return Term(init, loss, ("student", "teacher"), ("student",), batch_wide=batch_wide)


def train(kind, devices, over):
    layout = layouts.Layout(kind, jax.local_devices()[:devices])
    networks = {n: helpers.network(n) for n in ("student", "teacher")}
    terms = {"ce": ce.make(task=tasks.MULTI_CLASS, network="student"), "pairs": similarity(over)}
    code = helpers.code(networks, ["student"], terms)
    values = helpers.hyper({"ce": 1.0, "pairs": 0.01}, learning_rate=0.05)
    data = helpers.batch(BANK)
    split = Split(Images([np.array(data.image)]), np.array(data.label), np.array(data.id))
    frozen = {"teacher": step.init_network(networks["teacher"], np.uint32(5))}
    state = layout.spread(helpers.initialise(code, values, frozen))
    update, logged = layout.train_step(code), []
    batches = layout.feed(split).training(batch_size=BATCH, seed=0, epochs=9, first=0)
    for _ in range(STEPS):
        arguments = next(batches)
        state, metrics = update(
            state, layout.replicate(frozen), layout.replicate(values), *arguments
        )
        logged.append(jax.device_get(metrics))
    return state, layout.collect(state.networks), logged


@pytest.mark.parametrize("over", ["batch", "examples"])
def test_eight_devices_find_what_one_finds(over):
    """Losses, metrics (a maximum too), parameters, projector and memory."""
    state, networks, logged = train("jit", 1, over)
    for kind in ("jit", "pmap"):
        state_of_8, networks_of_8, logged_of_8 = train(kind, 8, over)
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5),
            (logged, networks),
            (logged_of_8, networks_of_8),
        )
        own = state_of_8.terms["pairs"]
        if kind == "pmap":
            for leaf in jax.tree.leaves(own):
                np.testing.assert_array_equal(leaf, np.broadcast_to(leaf[:1], leaf.shape))
            own = jax.tree.map(lambda x: x[0], own)
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5),
            own,
            state.terms["pairs"],
        )
    assert np.count_nonzero(np.any(state.terms["pairs"].memory["bank"], axis=1)) == BANK


def test_no_memory_returned_is_memory_as_it_was():
    def init(key, outputs, training_set):
        return TermState({}, {"count": jnp.int32(7)})

    def loss(state, context):
        return Loss(context.outputs["a"].logits[:, 0] ** 2, "examples")

    term = Term(init, loss, ("a",), batch_wide=True)
    code = helpers.code({"a": helpers.network("a")}, ["a"], {"own": term})
    values = helpers.hyper({"own": 1.0})
    before = helpers.initialise(code, values)
    after, _ = helpers.run(code, values, updates=1, state=before)
    helpers.assert_same_structure(after, before)
    assert int(after.terms["own"].memory["count"]) == 7


def checked(loss, memory=None, *, batch_wide=False):
    term = Term(no_state, lambda state, context: loss, ("a",), batch_wide=batch_wide)
    check_loss(term, loss, {} if memory is None else memory, (4,))


@pytest.mark.parametrize(
    "loss",
    [
        Loss(jnp.float32(1), "batch"),
        Loss(jnp.ones(4), "examples", {"largest": jnp.float32(1)}),
    ],
)
def test_a_scalar_of_one_devices_share_is_refused(loss):
    with pytest.raises(ValueError, match="scalar of the batch: its Term must have batch_wide=True"):
        checked(loss)
    checked(loss, batch_wide=True)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (Loss(jnp.float32(1), "examples"), "its loss is over examples, and has 0 axes"),
        (Loss(jnp.ones(4), "weights"), "its loss is over weights, and has 1 axes"),
        (Loss(jnp.ones((4, 2)), "batch"), "its loss is over batch, and has 2 axes"),
        (Loss(jnp.ones(1), "examples"), r"its loss has shape \(1,\) for a batch of 4"),
        (Loss(jnp.ones(4), "examples", {"a": jnp.ones((4, 2))}), "its metric 'a' .* has 2 axes"),
    ],
)
def test_values_of_another_shape_are_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        checked(loss, batch_wide=True)


def test_memory_must_be_equal_everywhere_and_stay_as_it_was_made():
    loss, memory = Loss(jnp.ones(4), "examples"), {"bank": jnp.zeros(3)}
    with pytest.raises(ValueError, match="memory: its Term must have batch_wide=True"):
        checked(loss, memory)
    checked(loss, memory, batch_wide=True)
    for other in ({}, {"bank": jnp.zeros(4)}, {"bank": jnp.zeros(3, jnp.float16)}):
        with pytest.raises(ValueError, match="returns memory"):
            checked(loss._replace(memory=other), memory, batch_wide=True)


def test_a_feature_that_goes_straight_to_memory_counts_as_read():
    """A bank of the last batch computes nothing with it."""

    def init(key, outputs, training_set):
        return TermState({}, {"last": jnp.zeros((BATCH, 4, 4, 3))})

    def loss(state, context):
        value = jnp.sum(context.outputs["student"].logits ** 2, axis=-1)
        return Loss(value, "examples", memory={"last": context.outputs["teacher"].features["stem"]})

    term = Term(init, loss, ("student", "teacher"), ("student",), batch_wide=True)
    networks = {n: helpers.network(n) for n in ("student", "teacher")}
    code = helpers.code(networks, ["student"], {"bank": term})
    values = helpers.hyper({"bank": 1.0})
    frozen = {"teacher": step.init_network(networks["teacher"], np.uint32(5))}
    state = helpers.initialise(code, values, frozen)
    layout = layouts.Layout("jit", jax.local_devices()[:1])
    data = helpers.batch(BATCH)
    split = Split(Images([np.array(data.image)]), np.array(data.label), np.array(data.id))
    arguments = next(layout.feed(split).training(batch_size=BATCH, seed=0, epochs=1, first=0))
    after, _ = layout.train_step(code)(state, frozen, values, *arguments)
    assert jnp.any(after.terms["bank"].memory["last"])
