"""Members of a sweep are what separate runs would be; they share the batch and the teacher."""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax import members, parallel, reads, runtime, step, tasks
from kdjax.data.store import Images
from kdjax.data.types import Split
from kdjax.terms import attention, ce, soft
from tests import helpers

COUNT, BATCH = 48, 16
# Label: weight of the soft term, temperature, seed, learning rate.
POINTS = {"a": (0.1, 1.0, 0, 0.1), "b": (0.9, 4.0, 0, 0.1), "c": (0.9, 4.0, 7, 0.02)}
WAYS = {"separate": (False, 1), "unrolled": (False, 0), "two calls": (False, 2), "vmap": (True, 0)}


def base(**arguments):
    networks = {
        "student": helpers.network("student", norm=True, dropout=0.3),
        "teacher": helpers.network("teacher", width=5),
    }
    task = tasks.MULTI_CLASS
    terms = {
        "ce": ce.make(task=task, network="student"),
        "soft": soft.make(task=task, student="student", teacher="teacher"),
        "map": attention.make(
            task=task, student="student", teacher="teacher", layers=("stem",), variant="cosine"
        ),
    }
    return helpers.program(networks, ["student"], terms, pad=1, **arguments)


@pytest.fixture(autouse=True)
def _fused_as_in_runs(monkeypatch):
    """What tests leave out to compile quickly (`conftest`) decides which sums round alike."""
    flag = "xla_cpu_use_fusion_emitters"
    if flag in os.environ["XLA_FLAGS"]:
        options = runtime.compiler_options() | {flag: True}
        monkeypatch.setattr(runtime, "compiler_options", lambda: options)


def hypers():
    return {
        label: helpers.hyper(
            {"ce": 1.0, "soft": weight, "map": 0.1},
            temperature=temperature,
            seed=seed,
            learning_rate=rate,
        )
        for label, (weight, temperature, seed, rate) in POINTS.items()
    }


def split():
    data = helpers.batch(COUNT)
    return Split(Images([np.array(data.image)]), np.array(data.label), np.array(data.id))


def train(program, hyper, initialise, updates, per_call=1):
    layout = parallel.make("jit", jax.local_devices()[:1])
    teacher = jax.jit(program.networks["teacher"].init)(jax.random.key(3))
    frozen = layout.replicate({"teacher": teacher})
    state = layout.spread(jax.jit(initialise)(hyper, frozen))
    update, hyper = layout.train_step(program, per_call), layout.replicate(hyper)
    batches = layout.feed(split()).training(
        batch_size=BATCH, seed=0, epochs=9, first=0, per_call=per_call
    )
    done = 0
    while done < updates:
        arguments = next(batches)
        state, logged = update(state, frozen, hyper, *arguments)
        done += np.size(arguments[-1])
    return state, logged


@functools.cache
def alone(label, updates):
    program = base()

    def initialise(hyper, frozen):
        networks = {"student": step.init_network(program.networks["student"], hyper.seed)}
        return step.init_state(program, hyper, networks, frozen, helpers.IMAGE_SHAPE)

    return train(program, hypers()[label], initialise, updates)


def together(way, updates, per_call=1):
    vmap, count = WAYS[way]
    program = members.program(base(), tuple(POINTS), vmap=vmap, together=count)

    def initialise(hyper, frozen):
        networks = members.initial_networks(program.swept, hyper)
        return members.init_state(program.swept, hyper, networks, frozen, helpers.IMAGE_SHAPE)

    return program, *train(program, hypers(), initialise, updates, per_call)


@pytest.mark.parametrize("way", WAYS)
def test_a_member_is_what_a_separate_run_is(way):
    """Bit for bit where it is the same computation; after one step to 1e-5 where it is not."""
    updates = 1 if way == "vmap" else 4
    program, state, logged = together(way, updates)
    for label, own in members.split(program.swept, state).items():
        expected, metrics = alone(label, updates)
        mine = members.Own(expected.networks, expected.terms, expected.opt)
        if way != "vmap":
            helpers.assert_identical(own, mine)
        else:
            jax.tree.map(
                lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), own, mine
            )
        for name, value in metrics.items():
            found = logged[members.named(name, label)]
            np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6, err_msg=name)
    assert int(state.step) == updates


def test_several_steps_a_call_are_single_steps_of_every_member():
    _, single, _ = together("unrolled", 3)
    _, looped, logged = together("unrolled", 3, per_call=2)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6), single, looped
    )
    assert {value.shape for value in logged.values()} == {(2,)}
    with pytest.raises(ValueError, match="all members"):
        together("separate", 4, per_call=2)


def test_seed_and_learning_rate_are_a_members_own():
    program, state, _ = together("separate", 1)
    networks = state.networks
    assert helpers.differ(networks["student@a"].params, networks["student@b"].params)
    assert helpers.differ(networks["student@b"].params, networks["student@c"].params)
    first = members.initial_networks(program.swept, hypers())
    helpers.assert_identical(first["student@a"], first["student@b"])
    assert helpers.differ(first["student@a"], first["student@c"])


def test_only_the_features_that_terms_read_leave_the_teacher():
    """Between two programs unused ones would be computed and kept."""
    swept = members.program(base(), tuple(POINTS), vmap=False, together=1).swept
    terms = {name: term for name, term in swept.base.terms.items() if name != "map"}
    without = swept._replace(base=swept.base._replace(terms=terms))
    assert read(swept) == {("teacher", "stem")}
    assert read(without) == set()


def read(swept):
    hyper = hypers()["a"]
    frozen = {"teacher": swept.base.networks["teacher"].init(jax.random.key(0))}
    networks = {"student": swept.base.networks["student"].init(jax.random.key(1))}
    made = step.init_state(swept.base, hyper, networks, frozen, helpers.IMAGE_SHAPE)
    observed = jax.eval_shape(
        lambda: step.observe(swept.base, frozen, helpers.batch(), jnp.int32(0), jnp.uint32(0))
    )
    own = members.Own(made.networks, made.terms, made.opt)
    at = jnp.int32(0)
    learn = members.make_learn(swept)

    def use(observed):
        return learn((own,), at, observed, (hyper,), at, at)

    return reads.features(use, observed)


def test_groups_of_one_size_share_a_program():
    program = members.program(base(), tuple(POINTS), vmap=False, together=1)
    compiled = []

    def jit(function, **options):
        made = jax.jit(function, **options)
        compiled.append(made)
        return made

    layout = parallel.make("jit", jax.local_devices()[:1])
    fetch = parallel.feed.resident(jax.sharding.SingleDeviceSharding(jax.local_devices()[0]))
    update = members.make_train_step(program.swept, fetch, jit)
    teacher = {"teacher": program.networks["teacher"].init(jax.random.key(0))}
    networks = members.initial_networks(program.swept, hypers())
    state = members.init_state(program.swept, hypers(), networks, teacher, helpers.IMAGE_SHAPE)
    batches = layout.feed(split()).training(batch_size=BATCH, seed=0, epochs=9, first=0)
    for _ in range(4):
        state, _ = update(state, teacher, hypers(), *next(batches))
    # Observing and learning were compiled once or twice, as the first state was made elsewhere.
    assert len(compiled) == 2
    assert all(made._cache_size() <= 2 for made in compiled)


def test_eight_devices_share_the_work():
    _, one, _ = together("separate", 2)
    program = members.program(base(), tuple(POINTS), vmap=False, together=1)
    layout = parallel.make("jit")
    assert layout.devices == 8
    teacher = layout.replicate(
        {"teacher": jax.jit(program.networks["teacher"].init)(jax.random.key(3))}
    )
    networks = members.initial_networks(program.swept, hypers())
    state = layout.spread(
        members.init_state(program.swept, hypers(), networks, teacher, helpers.IMAGE_SHAPE)
    )
    update, hyper = layout.train_step(program), layout.replicate(hypers())
    batches = layout.feed(split()).training(batch_size=BATCH, seed=0, epochs=9, first=0)
    for _ in range(2):
        state, _ = update(state, teacher, hyper, *next(batches))
    for x, y in zip(jax.tree.leaves(one.networks), jax.tree.leaves(state.networks), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)
