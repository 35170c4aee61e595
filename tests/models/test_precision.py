"""Computing in bfloat16, and computing activations again: the same networks, the same gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import kd
from kdjax.config import build
from kdjax.models import linen
from kdjax.system import discover
from kdjax.system.errors import UserError
from kdjax.training import train
from tests.helpers import assert_same_structure, small

SHAPE = (8, 8, 3)


def made(model, **arguments):
    module = discover.model(model)(classes=4, dropout=0.0)
    return linen.network(module, image_shape=SHAPE, key_name="student", **arguments)


def gradient(network):
    """The gradient of a loss on logits and on a map, with new statistics; and its computation."""
    state = network.init(jax.random.key(0))
    image = jnp.asarray(np.random.default_rng(0).normal(size=(4, *SHAPE)), jnp.float32)

    def loss(params):
        outputs, stats = network.apply(state._replace(params=params), image, train=True)
        summed = jnp.sum(jnp.square(outputs.logits)) + jnp.mean(outputs.features["stem"])
        return summed, (outputs, stats)

    differentiate = jax.grad(loss, has_aux=True)
    return differentiate(state.params), str(jax.make_jaxpr(differentiate)(state.params))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["plain.plain2", "cifar_resnet.resnet8"])
def test_activations_that_are_computed_again_are_the_same(model):
    (plain, (outputs, stats)), text = gradient(made(model))
    (again, (same, same_stats)), other = gradient(made(model, remat=True))
    assert "remat" not in text
    assert "remat" in other
    assert_same_structure(again, plain)
    assert outputs.features.keys() == same.features.keys()
    one, two = (plain, outputs.logits, stats), (again, same.logits, same_stats)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(jnp.abs(a).max()))


def test_only_what_lies_between_is_bfloat16():
    (_, (outputs, stats)), _ = gradient(made("plain.plain2"))
    (half, (low, low_stats)), text = gradient(made("plain.plain2", precision="bfloat16"))
    assert "bf16[4,8,8,16] = conv_general_dilated" in text
    everything = (half, low, low_stats)
    assert {leaf.dtype for leaf in jax.tree.leaves(everything)} == {jnp.dtype(jnp.float32)}
    distance = jnp.abs(outputs.logits - low.logits).max() / jnp.abs(outputs.logits).max()
    assert 1e-5 < distance < 0.05
    for a, b in zip(jax.tree.leaves(stats), jax.tree.leaves(low_stats), strict=True):
        np.testing.assert_allclose(a, b, rtol=0.05, atol=0.05 * float(jnp.abs(a).max()))


@pytest.mark.slow
@pytest.mark.usefixtures("one_device", "standard")
def test_a_run_in_bfloat16(tmp_path):
    config = small(kd, "digits,baseline=0")
    config.precision, config.networks.student.remat = "bfloat16", True
    result = train.run(config, tmp_path)
    assert result["networks"]["teacher"]["validation"]["accuracy"] > 0.2


def test_another_precision_is_refused():
    config = small(kd, "digits,baseline=0")
    config.precision = "float16"
    with pytest.raises(UserError, match="config.precision is 'float16'; it must be float32 or"):
        build.plan(config, 1)
