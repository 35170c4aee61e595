"""An ensemble predicts the mean of its members' probabilities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax import evaluate
from kdjax.models import ensembles
from kdjax.step import tasks
from kdjax.system.errors import UserError
from tests.helpers import IMAGE_SHAPE, assert_same_structure, network


@pytest.mark.parametrize("task", [tasks.MULTI_CLASS, tasks.MULTI_LABEL], ids=["class", "label"])
def test_probabilities_are_the_members_mean(task):
    members = {name: network(name) for name in ("a", "b", "c")}
    states = {n: m.init(jax.random.key(i)) for i, (n, m) in enumerate(members.items())}
    image = jax.random.normal(jax.random.key(9), (5, *IMAGE_SHAPE))
    together = ensembles.network(members, task)
    found = together.apply(ensembles.state(states), image, train=False)[0].logits
    predict = jax.nn.softmax if task is tasks.MULTI_CLASS else jax.nn.sigmoid
    each = [predict(members[n].apply(states[n], image, train=False)[0].logits) for n in members]
    np.testing.assert_allclose(predict(found), np.mean(each, axis=0), rtol=1e-5)
    assert_same_structure(together.init(jax.random.key(0)), ensembles.state(states))


@pytest.mark.parametrize("names", [["a"], ["a", "a"]])
def test_one_network_is_no_ensemble(names):
    with pytest.raises(UserError, match="two different networks or more"):
        evaluate.check_ensemble(names)


def test_it_does_not_learn():
    together = ensembles.network({"a": network("a")}, tasks.MULTI_CLASS)
    state = together.init(jax.random.key(0))
    with pytest.raises(ValueError, match="does not learn"):
        together.apply(state, jnp.zeros((2, *IMAGE_SHAPE)), train=True)
