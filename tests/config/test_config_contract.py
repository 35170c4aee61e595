"""What every config promises of each of its stages, on one batch of the embedded digits."""

import jax
import numpy as np
import pytest

from kdjax.config import build
from kdjax.data import stream
from kdjax.step import step
from kdjax.step.types import Batch, NetState
from tests.config.test_configs import NAMES, load
from tests.helpers import assert_identical, count_programs, differ

UPDATES = 6
VARIANTS = [
    ("kd", "digits,teachers=2"),
    ("kd", "digits,teachers=2,each=1"),
    ("fsp", "digits,added=1"),
    ("two_phase", "digits,keep_teacher=1"),
    ("teacher_free", "digits,virtual=1"),
    ("teacher_free", "digits,smoothing=1"),
]
CASES = [(name, "digits") for name in NAMES] + VARIANTS


def small(name, argument):
    """The config with networks and images that compile quickly."""
    config = load(name, argument)
    config.batch_size, config.data.size = 16, 8
    for network in config.networks.values():
        network.model = "plain.plain2"
    if "ramp_begin" in config:
        # Mutual from the first step on.
        config.ramp_begin = config.ramp_finish = 0.0
    return config


EVERY = pytest.mark.parametrize(("name", "argument"), CASES, ids=[" ".join(c) for c in CASES])


@EVERY
def test_contract(name, argument):
    check(name, argument, learns_one_batch)


@pytest.mark.slow
@EVERY
def test_jit_equals_no_jit(name, argument):
    check(name, argument, is_the_same_without_jit)


WITHOUT = {"at": "beta", "fsp": "fsp_weight", "hybrid": "feature_weight", "two_phase": "gamma"}
ALONE = ("ce", "fitnet", "finetune", "label_free")
PAIRED = [c for c in CASES if c[0] not in ALONE and c != ("fsp", "digits")]
# Soft targets from one teacher, as in `kd`, or from several.
LIKE_KD = ("assistants digits", "born_again digits", "teacher_free digits", "kd digits,teachers=2")


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        pytest.param(*c, id=" ".join(c), marks=[pytest.mark.slow] * (" ".join(c) in LIKE_KD))
        for c in PAIRED
    ],
)
def test_with_weights_of_zero_it_is_the_baseline(name, argument):
    """Bit for bit, but for a term on weights; FitNets and FSP begin with a stage without labels."""
    config = small(name, argument)
    config.alpha = 0.0
    if name in WITHOUT:
        config[WITHOUT[name]] = 0.0
    plan = build.plan(config, devices=1)
    pair = config.networks.baseline.pair
    # The last stage of each, as if it were the first: of two phases the mutual one.
    stages = {network: s for s in plan.stages for network in s.code.trained}
    there = {n: initial(s)[n] for n, s in stages.items()}
    after = {}
    with jax.numpy_dtype_promotion("standard"):
        for network in (pair, "baseline"):
            code = stages[network].code
            frozen = {name: there[name] for name in code.frozen}
            update, state, *rest = first_step(
                stages[network], plan.data, initial(stages[network]), frozen
            )
            compiled = jax.jit(update)
            for _ in range(3):
                state, _ = compiled(state, *rest)
            after[network] = state.networks[network]
    if name != "nuclear":
        assert_identical(after[pair], after["baseline"])
        return
    for ours, alone in zip(*map(jax.tree.leaves, (after[pair], after["baseline"])), strict=True):
        np.testing.assert_allclose(ours, alone, rtol=1e-5, atol=1e-7)
    assert differ(after[pair].params, there[pair].params)


# The same program everywhere, which one config answers for.
ANSWERED = {("ce",): "ce", ("ce", "kd"): "kd"}


def check(name, argument, promise):
    """Calls `promise(update, state, hyper, frozen)` for every stage in order."""
    config = small(name, argument)
    plan = build.plan(config, devices=1)
    # In place of networks of other runs.
    there: dict[str, NetState] = {
        name: jax.jit(restored.network.init)(jax.random.key(1))
        for name, restored in plan.restored.items()
    }
    with jax.numpy_dtype_promotion("standard"):
        for stage in plan.stages:
            starts = {new: there[old] for new, old in stage.init_from.items()}
            frozen = {network: there[network] for network in stage.code.frozen}
            networks = initial(stage) | starts
            terms = config.stages[stage.name].terms.values()
            if ANSWERED.get(tuple(sorted(term.kind for term in terms)), name) != name:
                there |= networks
            else:
                arguments = first_step(stage, plan.data, networks, frozen)
                there |= promise(stage.code, *arguments)


def initial(stage):
    seed, code = stage.hyper.seed, stage.code
    return {
        n: jax.jit(lambda n=n: step.init_network(code.networks[n], seed))() for n in code.trained
    }


def first_step(stage, data, networks, frozen):
    """`update(state, hyper, frozen)` on always the same batch, and what it starts from."""
    code, hyper = stage.code, stage.hyper

    @jax.jit
    def initialise(networks, frozen):
        return step.init_state(code, hyper, networks, frozen, data.image_shape)

    state = initialise(networks, frozen)
    batch = Batch(*stream.gather(data.splits["train"], np.arange(16)))

    def update(state, hyper, frozen):
        observed = step.observe(code, frozen, batch, np.int32(0), hyper.data_seed)
        return step.learn(code, state, observed, hyper, jax.random.key(0))

    return update, state, hyper, frozen


def learns_one_batch(code, update, state, hyper, frozen):
    """Finite, lower with every few updates, compiled once; the trained move, teachers do not."""
    untouched = jax.tree.map(np.array, frozen)
    before = state.networks
    compiled, losses = jax.jit(update), []
    for _ in range(UPDATES):
        state, metrics = compiled(state, hyper, frozen)
        assert all(np.isfinite(value) for value in metrics.values())
        losses.append(float(metrics["loss"]))
    assert losses[-1] < losses[0]
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(state))
    assert set(state.networks) == set(code.trained)
    assert all(differ(before[n].params, state.networks[n].params) for n in code.trained)
    assert_identical(jax.tree.map(np.array, frozen), untouched)
    assert count_programs(compiled) == 1
    return state.networks


def is_the_same_without_jit(code, update, state, hyper, frozen):
    """Of the first update: every metric, and where the networks went."""
    after, metrics = jax.jit(update)(state, hyper, frozen)
    with jax.disable_jit():
        plain_after, plain = update(state, hyper, frozen)
    assert set(plain) == set(metrics)
    for name, value in metrics.items():
        np.testing.assert_allclose(plain[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    # AdamW's first step is the gradient's sign: look at its average, the gradient itself.
    for one, other in zip(
        jax.tree.leaves(after.opt), jax.tree.leaves(plain_after.opt), strict=True
    ):
        np.testing.assert_allclose(other, one, rtol=2e-3, atol=1e-5)
    return after.networks
