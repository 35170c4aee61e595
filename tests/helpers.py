"""Tiny networks, the code of stages that train them, and short runs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from configs import base
from kdjax.evaluation import run_evaluation
from kdjax.models.layers import modules
from kdjax.models.networks import linen
from kdjax.step import augment, optimisers, schedules, step, tasks
from kdjax.step.types import Batch, Hyper, StageCode, TrainingSet
from kdjax.terms import ce, kd

IMAGE_SHAPE = (8, 8, 1)
CLASSES = 4
SGD = dict(text="sgd(momentum=0.9)", weight_decay=0.0, decay_all=False, clip_norm=0.0)


class Tiny(nn.Module):
    """A convolution, BatchNorm where `norm` is set, and a dense layer."""

    width: int = 3
    norm: bool = False
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.Conv(self.width, (3, 3), strides=(2, 2))(x)
        if self.norm:
            x = modules.batch_norm(train)(x)
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
    """Hyper-parameters, with `weights` by term name; every term has the same temperature."""
    terms = {
        name: {
            "weight": weight if isinstance(weight, schedules.Schedule) else constant(weight),
            "temperature": constant(temperature),
        }
        for name, weight in weights.items()
    }
    return Hyper(np.uint32(seed), np.uint32(0), constant(learning_rate), terms)


def mutual(peers, *, detach=True, **arguments):
    """The code of a stage of mutual learning between `peers`, and the weights of its terms."""
    terms, weights = {}, {}
    for name in sorted(peers):
        terms[f"ce_{name}"] = ce.make(task=tasks.MULTI_CLASS, network=name)
        weights[f"ce_{name}"] = 1.0
        for other in sorted(peers):
            if other != name:
                key = f"soft_{name}_{other}"
                terms[key] = kd.make(
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


def initialise(stage, values, frozen=None):
    """The state before the first update; `stage` is a `StageCode`, `values` a `Hyper`."""
    networks = {
        name: step.init_network(stage.networks[name], values.seed) for name in stage.trained
    }
    return step.init_state(stage, values, networks, frozen or {}, IMAGE_SHAPE)


def run(stage, values, *, updates=3, frozen=None, state=None, seed=0):
    """The state after a few updates, each on another batch, and the last metrics."""
    frozen = frozen or {}
    state = initialise(stage, values, frozen) if state is None else state

    @jax.jit
    def update(state, frozen, values, data, view):
        observed = step.observe(stage, frozen, data, view, values.data_seed)
        key = jax.random.fold_in(jax.random.key(values.seed), view)
        return step.learn(stage, state, observed, values, key)

    for index in range(updates):
        state, metrics = update(state, frozen, values, batch(seed=seed + index), jnp.int32(index))
    return state, metrics


def stop_at(step):
    """For `train.run`: whether to stop, which is so at this step alone."""
    return lambda at: at == step


def count_programs(function: Any) -> int:
    """How many programs a function of `jax.jit` has compiled."""
    return function._cache_size()


def assert_same_structure(a, b):
    """The same containers with the same keys."""
    # The declared type of a structure has no `==`.
    structures: list[Any] = [jax.tree.structure(tree) for tree in (a, b)]
    assert structures[0] == structures[1]


def assert_identical(a, b):
    """Same structure, and every value equal bit for bit."""
    assert_same_structure(a, b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


def differ(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return any(not np.array_equal(x, y) for x, y in pairs)


def small(make, argument=""):
    """A config of tiny networks and few updates, with dropout, shifts and BatchNorm.

    Args:
        make: the module of a config.
        argument: the data set and the options of the config.
    """
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
    """The JSON that `python -m MODULE ARGUMENTS` prints.

    The process compiles with the XLA flags of real runs; the flags of these tests make compiling
    faster and results round differently.
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
    """The record of the evaluation of a run's networks."""
    chosen = run_evaluation.Options(**({"timing": False} | options))
    return run_evaluation.evaluate(directory, chosen).record
