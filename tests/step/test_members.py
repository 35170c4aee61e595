"""Members of a sweep are what separate runs would be; they share the batch and the teacher."""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from kdjax.data.store import Images
from kdjax.data.types import Split
from kdjax.step import compiled, members, step, tasks
from kdjax.terms import at, ce, kd
from kdjax.training import feed, layouts
from tests import helpers

COUNT, BATCH = 48, 16
# Label: weight of the soft term, temperature, seed, learning rate.
POINTS = {"a": (0.1, 1.0, 0, 0.1), "b": (0.9, 4.0, 0, 0.1), "c": (0.9, 4.0, 7, 0.02)}
# Whether members are one computation, and how many one call trains.
WAYS = {"separate": (False, 1), "vmap": (True, 0), "vmap, two calls": (True, 2)}


def base(**arguments):
    networks = {
        "student": helpers.network("student", norm=True, dropout=0.3),
        "teacher": helpers.network("teacher", width=5),
    }
    task = tasks.MULTI_CLASS
    terms = {
        "ce": ce.make(task=task, network="student"),
        "soft": kd.make(task=task, student="student", teacher="teacher"),
        "map": at.make(
            task=task, student="student", teacher="teacher", layers=("stem",), variant="cosine"
        ),
    }
    return helpers.code(networks, ["student"], terms, pad=1, **arguments)


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


def train(code, hyper, initialise, updates, per_call=1):
    layout = layouts.Layout("jit", jax.local_devices()[:1])
    teacher = jax.jit(code.networks["teacher"].init)(jax.random.key(3))
    frozen = layout.replicate({"teacher": teacher})
    state = layout.spread(jax.jit(initialise)(hyper, frozen))
    update, hyper = layout.train_step(code, per_call), layout.replicate(hyper)
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
    code = base()

    def initialise(hyper, frozen):
        networks = {"student": step.init_network(code.networks["student"], hyper.seed)}
        return step.init_state(code, hyper, networks, frozen, helpers.IMAGE_SHAPE)

    return train(code, hypers()[label], initialise, updates)


def together(way, updates, per_call=1):
    vmap, count = WAYS[way]
    code = members.swept_code(base(), tuple(POINTS), vmap=vmap, together=count)

    def initialise(hyper, frozen):
        networks = members.initial_networks(code, hyper)
        return members.initial_state(code, hyper, frozen, helpers.IMAGE_SHAPE, networks)

    return code, *train(code, hypers(), initialise, updates, per_call)


@pytest.mark.parametrize("way", WAYS)
def test_a_member_is_what_a_separate_run_is(way):
    """Bit for bit where it is the same computation; after one step to 1e-5 where it is not."""
    updates = 4 if way == "separate" else 1
    code, state, logged = together(way, updates)
    for label, own in members.split(code.swept, state).items():
        expected, metrics = alone(label, updates)
        of_member = {name: logged[members.named(name, label)] for name in metrics}
        if way == "separate":
            helpers.assert_identical((own, of_member), (expected.trained, metrics))
        else:
            jax.tree.map(
                lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6),
                (own, of_member),
                (expected.trained, metrics),
            )
    assert int(state.step) == updates


def test_several_steps_a_call_are_single_steps_of_every_member():
    _, single, _ = together("vmap", 3)
    _, looped, logged = together("vmap", 3, per_call=2)
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6), single, looped
    )
    assert {value.shape for value in logged.values()} == {(2,)}


def test_seed_and_learning_rate_are_a_members_own():
    code, state, _ = together("separate", 1)
    networks = state.networks
    assert helpers.differ(networks["student@a"].params, networks["student@b"].params)
    assert helpers.differ(networks["student@b"].params, networks["student@c"].params)
    first = members.initial_networks(code, hypers())
    helpers.assert_identical(first["student@a"], first["student@b"])
    assert helpers.differ(first["student@a"], first["student@c"])


def observed_by(terms):
    """The frozen networks' outputs as they leave their program, for an update by these terms."""
    code = base()
    code = code._replace(terms={name: code.terms[name] for name in terms})
    values = hypers()["a"]
    values = values._replace(terms={name: values.terms[name] for name in terms})
    frozen = {"teacher": code.networks["teacher"].init(jax.random.key(0))}
    layout = layouts.Layout("jit", jax.local_devices()[:1])
    arguments = next(layout.feed(split()).training(batch_size=BATCH, seed=0, epochs=1, first=0))
    update: Any = layout.train_step(code)
    return update._observe(frozen, values, *arguments).outputs["teacher"]


def test_only_the_features_that_terms_read_leave_the_teacher():
    """Between two programs unused ones would be computed and kept."""
    assert set(observed_by(("ce", "soft", "map")).features) == {"stem"}
    assert set(observed_by(("ce", "soft")).features) == set()


def test_members_share_three_programs():
    code = members.swept_code(base(), tuple(POINTS), vmap=False, together=1)
    functions = []

    def jit(function, **options):
        functions.append(jax.jit(function, **options))
        return functions[-1]

    device = jax.local_devices()[0]
    fetch = feed.fetch_resident(jax.sharding.SingleDeviceSharding(device))
    update = compiled.make_train_step(code, fetch, jit=compiled.Jit(jit, jit))
    teacher = {"teacher": code.networks["teacher"].init(jax.random.key(0))}
    networks = members.initial_networks(code, hypers())
    state = members.initial_state(code, hypers(), teacher, helpers.IMAGE_SHAPE, networks)
    layout = layouts.Layout("jit", [device])
    batches = layout.feed(split()).training(batch_size=BATCH, seed=0, epochs=9, first=0)
    for _ in range(4):
        state, _ = update(state, teacher, hypers(), *next(batches))
    # Each was compiled once or twice, as the first state was made elsewhere.
    assert len(functions) == 3
    assert all(helpers.count_programs(function) <= 2 for function in functions)


def test_the_programs_of_a_single_run_can_be_measured():
    """Most of the work is in the update; frozen networks have a program of their own."""
    layout = layouts.Layout("jit", jax.local_devices()[:1])
    at = next(layout.feed(split()).training(batch_size=BATCH, seed=0, epochs=1, first=0))
    code, hyper = base(), hypers()["a"]
    frozen = {"teacher": code.networks["teacher"].init(jax.random.key(0))}
    state = helpers.initialise(code, hyper, frozen)
    programs = layout.train_step(code).lower(state, frozen, hyper, *at)
    flops = [program.cost_analysis()["flops"] for program in programs]
    assert len(flops) == 3
    assert max(flops) == flops[2] > 0


def test_eight_devices_share_the_work():
    _, one, _ = together("separate", 2)
    code = members.swept_code(base(), tuple(POINTS), vmap=False, together=1)
    layout = layouts.Layout("jit")
    assert layout.devices == 8
    teacher = layout.replicate(
        {"teacher": jax.jit(code.networks["teacher"].init)(jax.random.key(3))}
    )
    networks = members.initial_networks(code, hypers())
    state = layout.spread(
        members.initial_state(code, hypers(), teacher, helpers.IMAGE_SHAPE, networks)
    )
    update, hyper = layout.train_step(code), layout.replicate(hypers())
    batches = layout.feed(split()).training(batch_size=BATCH, seed=0, epochs=9, first=0)
    for _ in range(2):
        state, _ = update(state, teacher, hyper, *next(batches))
    for x, y in zip(jax.tree.leaves(one.networks), jax.tree.leaves(state.networks), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)
