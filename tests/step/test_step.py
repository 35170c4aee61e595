"""The step: loss against references, who is updated, permutations, counters, recompilation."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

from kdjax.step import schedules, step, tasks
from kdjax.step.types import TERMS
from kdjax.terms import ce, kd
from tests import helpers, swapped_peers


def logits_of(code, state, observed, name):
    image = observed.batch.image
    return code.networks[name].apply(state.networks[name], image, train=False)[0].logits


def test_two_peer_loss_equals_numpy_and_pytorch():
    code, weights = helpers.mutual({n: helpers.network(n) for n in ("a", "b")})
    values = helpers.hyper(weights)
    state = helpers.initialise(code, values)
    observed = step.observe(code, {}, helpers.batch(), jnp.int32(0), jnp.uint32(0))
    _, metrics = step.learn(code, state, observed, values, jax.random.key(0))

    a, b = (np.asarray(logits_of(code, state, observed, n), np.float64) for n in "ab")
    label = np.asarray(observed.batch.label)

    def log_softmax(z):
        z = z - z.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))

    la, lb = log_softmax(a), log_softmax(b)
    rows = np.arange(len(label))
    expected = -(la[rows, label] + lb[rows, label]).mean()
    expected += (np.exp(lb) * (lb - la)).sum(-1).mean() + (np.exp(la) * (la - lb)).sum(-1).mean()
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)

    ta, tb = torch.tensor(a, requires_grad=True), torch.tensor(b)
    target = torch.tensor(label, dtype=torch.int64)
    loss_a = torch.nn.functional.cross_entropy(ta, target) + torch.nn.functional.kl_div(
        ta.log_softmax(-1), tb.log_softmax(-1), reduction="batchmean", log_target=True
    )
    ours = metrics["ce_a"] + metrics["soft_a_b"]
    np.testing.assert_allclose(ours, loss_a.item(), rtol=1e-5)


def test_detached_peers_are_updated_as_if_the_others_were_constants():
    """One simultaneous update: peer a's gradient is that of its own loss, b's outputs fixed."""
    networks = {n: helpers.network(n) for n in ("a", "b")}
    code, weights = helpers.mutual(networks, text="sgd")
    values = helpers.hyper(weights)
    before = helpers.initialise(code, values)
    observed = step.observe(code, {}, helpers.batch(), jnp.int32(0), jnp.uint32(0))
    after, _ = step.learn(code, before, observed, values, jax.random.key(0))

    targets = logits_of(code, before, observed, "b")

    def own_loss(params):
        state = before.networks["a"]._replace(params=params)
        logits = code.networks["a"].apply(state, observed.batch.image, train=False)[0].logits
        hard = tasks.MULTI_CLASS.hard(logits, observed.batch.label)
        return jnp.mean(hard + tasks.MULTI_CLASS.soft(logits, targets, temperature=1.0))

    gradient = jax.grad(own_loss)(before.networks["a"].params)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, before.networks["a"].params, gradient)
    for x, y in zip(
        jax.tree.leaves(after.networks["a"].params), jax.tree.leaves(expected), strict=True
    ):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


def test_joint_gradients_differ_from_detached_ones():
    networks = {n: helpers.network(n) for n in ("a", "b")}
    detached, weights = helpers.mutual(networks)
    joint, _ = helpers.mutual(networks, detach=False)
    values = helpers.hyper(weights)
    first, metrics = helpers.run(detached, values, updates=1)
    second, joint_metrics = helpers.run(joint, values, updates=1)
    np.testing.assert_allclose(metrics["loss"], joint_metrics["loss"], rtol=1e-6)
    assert helpers.differ(first.networks, second.networks)


def test_teacher_is_bit_identical_after_distillation():
    networks = {n: helpers.network(n, norm=True, dropout=0.3) for n in ("teacher", "student")}
    terms = {"soft": kd.make(task=tasks.MULTI_CLASS, student="student", teacher="teacher")}
    code = helpers.code(networks, ["student"], terms)
    values = helpers.hyper({"soft": 1.0})
    teacher = step.init_network(networks["teacher"], np.uint32(5))
    copy = jax.tree.map(np.array, teacher)
    state, _ = helpers.run(code, values, frozen={"teacher": teacher})
    helpers.assert_identical(teacher, copy)
    assert set(state.networks) == {"student"}
    assert set(state.opt) == {"student", TERMS}


def test_teacher_sees_the_students_view_with_running_statistics():
    """Were the teacher in training mode, its outputs would depend on the rest of the batch."""
    networks = {n: helpers.network("same", norm=True) for n in ("teacher", "student")}
    terms = {"soft": kd.make(task=tasks.MULTI_CLASS, student="student", teacher="teacher")}
    code = helpers.code(networks, ["student"], terms, pad=2)
    teacher = step.init_network(networks["teacher"], np.uint32(0))
    whole = helpers.batch()
    half = jax.tree.map(lambda x: x[:8], whole)
    of_whole = step.observe(code, {"teacher": teacher}, whole, jnp.int32(3), jnp.uint32(0))
    of_half = step.observe(code, {"teacher": teacher}, half, jnp.int32(3), jnp.uint32(0))
    np.testing.assert_array_equal(of_whole.batch.image[:8], of_half.batch.image)
    np.testing.assert_allclose(
        of_whole.outputs["teacher"].logits[:8], of_half.outputs["teacher"].logits, rtol=1e-5
    )


def test_swapping_peers_swaps_their_results():
    """To rounding, with this suite's flags: XLA may take other vector instructions for one peer."""
    first, second = swapped_peers.swapped(kind="sgd")
    for x, y in (("a", "b"), ("b", "a")):
        for one, other in zip(
            jax.tree.leaves(first.networks[x]), jax.tree.leaves(second.networks[y]), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_swapping_peers_swaps_their_results_exactly_in_real_runs():
    assert helpers.as_in_runs("tests.swapped_peers") == {"sgd": 0.0, "adamw": 0.0}


def test_weight_zero_is_the_baseline_exactly():
    networks = {n: helpers.network(n, dropout=0.2) for n in ("teacher", "student")}
    terms = {
        "ce": ce.make(task=tasks.MULTI_CLASS, network="student"),
        "soft": kd.make(task=tasks.MULTI_CLASS, student="student", teacher="teacher"),
    }
    teacher = step.init_network(networks["teacher"], np.uint32(0))
    distilled, _ = helpers.run(
        helpers.code(networks, ["student"], terms),
        helpers.hyper({"ce": 1.0, "soft": 0.0}),
        frozen={"teacher": teacher},
    )
    alone, _ = helpers.run(
        helpers.code({"student": networks["student"]}, ["student"], {"ce": terms["ce"]}),
        helpers.hyper({"ce": 1.0}),
    )
    helpers.assert_identical(distilled.networks, alone.networks)


def test_four_peers_weigh_the_others_equally():
    names = ("a", "b", "c", "d")
    code, weights = helpers.mutual({n: helpers.network(n) for n in names})
    state = helpers.initialise(code, helpers.hyper(weights))
    observed = step.observe(code, {}, helpers.batch(), jnp.int32(0), jnp.uint32(0))
    _, metrics = step.learn(code, state, observed, helpers.hyper(weights), jax.random.key(0))
    hard = sum(metrics[f"ce_{n}"] for n in names)
    soft = sum(metrics[f"soft_{n}_{m}"] for n in names for m in names if n != m)
    np.testing.assert_allclose(metrics["loss"], hard + soft / 3, rtol=1e-5)


def test_padding_changes_nothing():
    code, weights = helpers.mutual({n: helpers.network(n) for n in ("a", "b")})
    values = helpers.hyper(weights)
    state = helpers.initialise(code, values)
    data = helpers.batch()
    padded = jax.tree.map(lambda x: jnp.concatenate([x, jnp.zeros_like(x[:5])]), data)
    results = []
    for some in (data, padded):
        observed = step.observe(code, {}, some, jnp.int32(0), jnp.uint32(0))
        results.append(step.learn(code, state, observed, values, jax.random.key(0)))
    for x, y in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7)


def test_hyper_parameters_never_recompile():
    code, weights = helpers.mutual({n: helpers.network(n) for n in ("a", "b")})
    traces = 0

    def traced(state, values, data):
        nonlocal traces
        traces += 1
        observed = step.observe(code, {}, data, jnp.int32(0), values.data_seed)
        return step.learn(code, state, observed, values, jax.random.key(values.seed))

    update = jax.jit(traced)
    state = helpers.initialise(code, helpers.hyper(weights))
    outcomes = []
    for seed, rate, temperature in [(0, 0.1, 1.0), (1, 0.2, 4.0), (2, 0.0, 0.5)]:
        values = helpers.hyper(weights, seed=seed, learning_rate=rate, temperature=temperature)
        outcomes.append(update(state, values, helpers.batch())[1])
    assert traces == 1
    assert len({float(metrics["soft_a_b"]) for metrics in outcomes}) == 3


def test_a_ramp_is_a_function_of_the_stages_step():
    code, weights = helpers.mutual({n: helpers.network(n) for n in ("a", "b")})
    ramp = schedules.Linear(*map(np.float32, (0.0, 1.0, 2.0, 4.0)))
    weights |= {"soft_a_b": ramp, "soft_b_a": ramp}
    values = helpers.hyper(weights)
    for updates, share in [(1, 0.0), (3, 0.0), (4, 0.5), (5, 1.0), (6, 1.0)]:
        _, m = helpers.run(code, values, updates=updates)
        expected = m["ce_a"] + m["ce_b"] + share * (m["soft_a_b"] + m["soft_b_a"])
        np.testing.assert_allclose(m["loss"], expected, rtol=1e-6)


def test_clipping_does_not_couple_peers():
    """With one norm over both, changing b's gradient would change a's update."""
    plain = {n: helpers.network(n) for n in ("a", "b")}
    wide = {"a": plain["a"], "b": helpers.network("b", width=9)}
    states = []
    for networks in (plain, wide):
        code, weights = helpers.mutual(networks, clip_norm=0.1)
        weights |= {"soft_a_b": 0.0, "soft_b_a": 0.0}
        states.append(helpers.run(code, helpers.hyper(weights))[0])
    helpers.assert_identical(states[0].networks["a"], states[1].networks["a"])


def test_initialisation_and_dropout_are_keyed_by_name():
    a, b = helpers.network("a"), helpers.network("b")
    paired = helpers.network("a")
    seed = np.uint32(0)
    helpers.assert_identical(step.init_network(a, seed), step.init_network(paired, seed))
    assert helpers.differ(step.init_network(a, seed), step.init_network(b, seed))
    assert helpers.differ(step.init_network(a, seed), step.init_network(a, np.uint32(1)))


def test_what_is_scheduled_is_logged():
    code, weights = helpers.mutual({n: helpers.network(n) for n in ("a", "b")})
    falling = schedules.Linear(*map(np.float32, (1.0, 0.0, 0.0, 4.0)))
    values = helpers.hyper(weights | {"soft_a_b": falling})
    _, metrics = helpers.run(code, values, updates=3)
    logged = {name: float(value) for name, value in metrics.items() if name.endswith("/weight")}
    assert logged == {"soft_a_b/weight": 0.5}
    assert "soft_a_b/temperature" not in metrics


def test_a_trunk_learns_at_its_own_rate():
    """With plain SGD the trunk moves exactly `trunk_rate` times as far, and the head as far."""
    stage, weights = helpers.mutual({"a": helpers.network("a")}, text="sgd()")
    values = helpers.hyper(weights)
    slower = stage._replace(heads={"a": ("Dense_0",)})
    start = helpers.initialise(stage, values).networks["a"].params
    whole = helpers.run(stage, values, updates=1)[0].networks["a"].params
    slow_values = values._replace(trunk_rate=helpers.constant(0.25))
    part = helpers.run(slower, slow_values, updates=1)[0].networks["a"].params
    for layer, factor in (("Conv_0", 0.25), ("Dense_0", 1.0)):
        moved, expected = (
            jax.tree.map(lambda x, y: x - y, after[layer], start[layer]) for after in (part, whole)
        )
        for x, y in zip(jax.tree.leaves(moved), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(x, factor * y, atol=1e-7)


def test_with_running_statistics_a_network_learns_in_evaluation_mode():
    network = helpers.network("a", norm=True, dropout=0.5)
    stage, weights = helpers.mutual({"a": network})
    stage = stage._replace(running_statistics=("a",))
    values = helpers.hyper(weights)
    before = helpers.initialise(stage, values).networks["a"]
    state, metrics = helpers.run(stage, values, updates=1)
    assert not helpers.differ(state.networks["a"].batch_stats, before.batch_stats)
    assert helpers.differ(state.networks["a"].params, before.params)
    # The loss is that of predictions.
    batch = helpers.batch(seed=0)
    image = (np.asarray(batch.image) / 255.0 - 0.5) / 0.25
    logits = network.apply(before, jnp.array(image, jnp.float32), train=False)[0].logits
    expected = stage.task.hard(logits, batch.label).mean()
    np.testing.assert_allclose(metrics["ce_a"], expected, rtol=1e-5)
