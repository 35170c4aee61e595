"""Optimisers against PyTorch's, several steps, with weight decay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from kdjax.step import optimisers
from tests.helpers import SGD

RATES = [0.1, 0.05, 0.02, 0.01]


def targets(params):
    return sum(jnp.sum((p - 0.3) ** 4) for p in jax.tree.leaves(params))


def ours(**changes):
    params = {"layer": {"kernel": jnp.linspace(-1, 1, 6).reshape(2, 3), "bias": jnp.ones(3)}}
    tx = optimisers.make(**(SGD | changes))
    state = tx.init(params)
    with jax.numpy_dtype_promotion("standard"):
        for rate in RATES:
            direction, state = tx.update(jax.grad(targets)(params), state, params)
            params = jax.tree.map(lambda p, d, r=rate: p - r * d, params, direction)
    return params["layer"]


def theirs(make, decay_bias, weight_decay):
    kernel = torch.linspace(-1, 1, 6).reshape(2, 3).requires_grad_()
    bias = torch.ones(3, requires_grad=True)
    optimiser = make(
        [
            {"params": [kernel], "weight_decay": weight_decay},
            {"params": [bias], "weight_decay": weight_decay if decay_bias else 0.0},
        ]
    )
    for rate in RATES:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad()
        (((kernel - 0.3) ** 4).sum() + ((bias - 0.3) ** 4).sum()).backward()
        optimiser.step()
    return {"kernel": kernel.detach().numpy(), "bias": bias.detach().numpy()}


@pytest.mark.parametrize("decay_all", [False, True])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_is_pytorchs(momentum, nesterov, decay_all):
    text = f"sgd(momentum={momentum}, nesterov={nesterov})"
    got = ours(text=text, weight_decay=0.1, decay_all=decay_all)
    want = theirs(
        lambda groups: torch.optim.SGD(groups, lr=1.0, momentum=momentum, nesterov=nesterov),
        decay_all,
        0.1,
    )
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-5)


@pytest.mark.parametrize("decay_all", [False, True])
def test_adamw_is_pytorchs(decay_all):
    got = ours(text="adamw", weight_decay=0.1, decay_all=decay_all)
    want = theirs(lambda groups: torch.optim.AdamW(groups, lr=1.0), decay_all, 0.1)
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=1e-4)


def test_no_momentum_no_decay_is_the_gradient():
    tx = optimisers.make(**(SGD | {"text": "sgd"}))
    gradient = {"kernel": jnp.arange(3.0)}
    direction, _ = tx.update(gradient, tx.init(gradient), gradient)
    np.testing.assert_array_equal(direction["kernel"], gradient["kernel"])


def test_gradients_are_clipped_ahead_of_the_decay():
    tx = optimisers.make("sgd", weight_decay=0.5, decay_all=True, clip_norm=1.0)
    params, gradient = {"kernel": jnp.ones(2)}, {"kernel": jnp.array([3.0, 4.0])}
    direction, _ = tx.update(gradient, tx.init(params), params)
    np.testing.assert_allclose(direction["kernel"], [0.6 + 0.5, 0.8 + 0.5], rtol=1e-6)


@pytest.mark.parametrize("text", ["lion", "nadamw", "lamb", "rmsprop(decay=0.9)", "adagrad"])
def test_other_optimisers_of_optax_lower_a_loss(text):
    first = sum(float(targets(x)) for x in jax.tree.leaves(ours(text="sgd", clip_norm=1e-9)))
    params = ours(text=text)
    assert sum(float(targets(x)) for x in jax.tree.leaves(params)) < first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adm", "unknown optimiser 'adm'. Did you mean 'adam'?"),
        ("sgd(momentm=0.9)", "unexpected keyword argument 'momentm'"),
        ("sgd(0.9)", "the form is sgd\\(momentum=0.9\\)"),
        ("sgd(", "is no optimiser"),
        ("lbfgs", "lbfgs of optax needs more than gradients"),
        ("lion(b1='x')", "with numbers or True or False"),
        ("adamw(weight_decay=0.1)", "weight_decay has a key of its own"),
    ],
)
def test_wrong_optimisers_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        optimisers.make(text, weight_decay=0.1, decay_all=False, clip_norm=0.0)
