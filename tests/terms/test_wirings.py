"""Identities between terms, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.losses import kd as kd_loss
from kdjax.step import tasks
from kdjax.step.types import Context, Outputs
from kdjax.system.errors import UserError
from kdjax.terms import at, features, fitnet, fsp, kd

TASK = tasks.MULTI_CLASS


def maps(**shapes):
    return Outputs(
        jnp.zeros((2, 3)),
        {name: jnp.ones((2, *shape), jnp.float32) for name, shape in shapes.items()},
    )


def context(outputs, key=0):
    hyper = {"weight": jnp.float32(1.0), "temperature": jnp.float32(3.0)}
    return Context(None, outputs, {}, hyper, jnp.int32(0), jax.random.key(key))


def logits(seed):
    return jax.random.normal(jax.random.key(seed), (5, 4)) * 3


def test_an_identity_projector_is_plain_mse():
    rng = np.random.default_rng(0)
    mine, theirs = (jnp.array(rng.normal(size=(2, 4, 4, 3)), jnp.float32) for _ in range(2))
    term = features.make(task=TASK, student="s", teacher="t", layers=("a:b",))
    state = term.init(
        jax.random.key(0),
        {"s": Outputs(None, {"a": mine}), "t": Outputs(None, {"b": theirs})},
        None,
    )
    params = {"a-b": {"kernel": jnp.eye(3), "bias": jnp.zeros(3)}}
    found = {"s": Outputs(None, {"a": mine}), "t": Outputs(None, {"b": theirs})}
    loss = term.loss(state._replace(params=params), context(found)).value
    np.testing.assert_allclose(loss, np.mean((mine - theirs) ** 2, axis=(1, 2, 3)), rtol=1e-6)


def test_one_teacher_twice_is_that_teacher():
    outputs = {name: Outputs(logits(seed), {}) for name, seed in (("s", 0), ("t", 1), ("u", 1))}
    one = kd.make(task=TASK, student="s", teacher="t")
    expected = one.loss(one.init(None, None, None), context(outputs)).value
    for average in ("logits", "probabilities"):
        two = kd.make(task=TASK, student="s", teacher=("t", "u"), average=average)
        np.testing.assert_allclose(
            two.loss(two.init(None, None, None), context(outputs)).value, expected, rtol=1e-5
        )


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_averaged_probabilities_are_the_mean_of_softened_ones(temperature):
    both = jnp.stack([logits(0), logits(1)])
    average = kd_loss.average_softmax(both, temperature)
    expected = jnp.mean(jax.nn.softmax(both / temperature), axis=0)
    np.testing.assert_allclose(jax.nn.softmax(average / temperature), expected, rtol=1e-5)
    average = kd_loss.average_bernoulli(both, temperature)
    expected = jnp.mean(jax.nn.sigmoid(both / temperature), axis=0)
    np.testing.assert_allclose(jax.nn.sigmoid(average / temperature), expected, rtol=1e-5)


def test_shuffled_targets_are_a_permutation():
    outputs = {"s": Outputs(jnp.zeros((5, 4)), {}), "t": Outputs(logits(1), {})}
    plain = kd.make(task=TASK, student="s", teacher="t")
    shuffled = kd.make(task=TASK, student="s", teacher="t", shuffle=True)
    one = plain.loss(plain.init(None, None, None), context(outputs)).value
    other = shuffled.loss(shuffled.init(None, None, None), context(outputs, key=1)).value
    assert not np.any(np.isclose(one, other))
    np.testing.assert_allclose(np.sort(one), np.sort(other), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "wiring", "student", "teacher", "message"),
    [
        (at, dict(layers=("stage9",)), {}, {}, "unknown layer of network 's' 'stage9'"),
        (
            at,
            dict(layers=("a",)),
            dict(a=(1, 1, 8)),
            dict(a=(4, 4, 8)),
            "attention at layer 'a' of network 's', which is 1 x 1 x 8",
        ),
        (at, dict(layers=("a",)), dict(a=(8,)), dict(a=(8,)), "more than one position"),
        (
            features,
            dict(layers=("a",)),
            dict(a=(4, 4, 2)),
            dict(a=(8, 8, 2)),
            "differ in size: 4 x 4 x 2 and 8 x 8 x 2",
        ),
        (fitnet, dict(guided="a", hint="a"), dict(a=(4, 4, 2)), dict(a=(8, 8, 2)), "no smaller"),
        (
            fsp,
            dict(stages=(1,)),
            dict(stage1_first=(4, 4, 2), stage1_last=(4, 4, 3)),
            dict(stage1_first=(4, 4, 2), stage1_last=(4, 4, 9)),
            "'s' has 2 and 3, 't' has 2 and 9",
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused(make, wiring, student, teacher, message):
    term = make.make(task=TASK, student="s", teacher="t", **wiring)
    with pytest.raises(UserError) as error:
        term.init(
            jax.random.key(0), {"s": maps(b=(4, 4, 2), **student), "t": maps(**teacher)}, None
        )
    assert message in str(error.value)
