"""Tiny networks and programs, and the few lines that run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from configs import base
from kdjax.evaluation import run_evaluation
from kdjax.models import linen
from kdjax.step import augment, optimisers, schedules, step, tasks
from kdjax.step.types import Batch, Hyper, StageCode, TrainingSet
from kdjax.terms import ce, soft

IMAGE_SHAPE = (8, 8, 1)
CLASSES = 4
SGD = dict(text="sgd(momentum=0.9)", weight_decay=0.0, decay_all=False, clip_norm=0.0)


class Tiny(nn.Module):
    """A convolution, BatchNorm if wanted, and a dense layer."""

    width: int = 3
    norm: bool = False
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Conv(self.width, (3, 3), strides=(2, 2))(x)
        if self.norm:
            x = linen.batch_norm(train)(x)
        features = {"stem": nn.relu(x)}
        x = nn.Dropout(self.dropout, deterministic=not train)(features["stem"])
        return nn.Dense(CLASSES)(x.reshape(x.shape[0], -1)), features


def network(key_name, **arguments):
    return linen.network(Tiny(**arguments), image_shape=IMAGE_SHAPE, key_name=key_name)


TRAINING_SET = TrainingSet(np.arange(6) % CLASSES, np.arange(6), CLASSES)


def code(networks, trained, terms, *, pad=0, **optimiser):
    return StageCode(
        networks=networks,
        trained=tuple(trained),
        terms=terms,
        task=tasks.MULTI_CLASS,
        training_set=TRAINING_SET,
        optimiser=optimisers.make(**(SGD | optimiser)),
        augment=augment.make(classes=CLASSES, mean=(0.5,), **base.augment(pad=pad)),
        mean=(0.5,),
        std=(0.25,),
    )


def constant(value):
    return schedules.Constant(np.float32(value))


def hyper(weights, *, seed=0, learning_rate=0.1, temperature=1.0):
    """Weights by term name; every term gets the temperature."""
    terms = {
        name: {
            "weight": weight if isinstance(weight, schedules.KINDS) else constant(weight),
            "temperature": constant(temperature),
        }
        for name, weight in weights.items()
    }
    return Hyper(np.uint32(seed), np.uint32(0), constant(learning_rate), terms)


def mutual(peers, *, detach=True, **arguments):
    """A program and hyper-parameters of mutual learning between networks by name."""
    terms, weights = {}, {}
    for name in sorted(peers):
        terms[f"ce_{name}"] = ce.make(task=tasks.MULTI_CLASS, network=name)
        weights[f"ce_{name}"] = 1.0
        for other in sorted(peers):
            if other != name:
                key = f"soft_{name}_{other}"
                terms[key] = soft.make(
                    task=tasks.MULTI_CLASS, student=name, teacher=other, detach_teacher=detach
                )
                weights[key] = 1.0 / (len(peers) - 1)
    return code(peers, peers, terms, **arguments), weights


def batch(count=16, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (count, *IMAGE_SHAPE), dtype=np.uint8)
    label = rng.integers(0, CLASSES, count).astype(np.int32)
    return Batch(
        jnp.array(image),
        jnp.array(label),
        jnp.arange(count, dtype=jnp.int32),
        jnp.ones(count, jnp.float32),
    )


def initialise(made, values, frozen=None):
    networks = {name: step.init_network(made.networks[name], values.seed) for name in made.trained}
    return step.init_state(made, values, networks, frozen or {}, IMAGE_SHAPE)


def run(made, values, *, updates=3, frozen=None, state=None, seed=0):
    """The state after a few updates on different batches, and the last metrics."""
    frozen = frozen or {}
    state = initialise(made, values, frozen) if state is None else state

    @jax.jit
    def update(state, frozen, values, data, view):
        observed = step.observe(made, frozen, data, view, values.data_seed)
        key = jax.random.fold_in(jax.random.key(values.seed), view)
        return step.learn(made, state, observed, values, key)

    for index in range(updates):
        state, metrics = update(state, frozen, values, batch(seed=seed + index), jnp.int32(index))
    return state, metrics


def assert_identical(a, b):
    """Same structure, and every value equal bit for bit."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def differ(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return any(not np.array_equal(x, y) for x, y in pairs)


def small(make, argument=""):
    """A few updates of tiny networks with everything on: dropout, shifts, BatchNorm."""
    config = make.get_config(argument)
    config.epochs = 3
    config.batch_size = 32
    config.log_every = 2
    config.data.fraction = 0.1
    config.data.size = 8
    config.tensorboard = False
    for network in config.networks.values():
        network.model = "plain.plain2"
        network.dropout = 0.2
    return config


def as_in_runs(module, *arguments):
    """What `python -m MODULE ARGUMENTS` prints as JSON, in a process of its own.

    It compiles with the XLA flags of real runs: this suite's compile faster and round differently.
    """
    flags = {"XLA_FLAGS": os.environ["XLA_FLAGS_OF_RUNS"], "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=Path(__file__).parent.parent,
        env=os.environ | flags,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def evaluated(directory, **options):
    """The record of a run's networks."""
    options = run_evaluation.Options(**({"timing": False} | options))
    return run_evaluation.evaluate(directory, options).record
