"""Arithmetic and time of predictions."""

import functools

import jax
import numpy as np
import pytest

from kdjax.evaluation import cost
from tests import helpers


def test_arithmetic_is_what_the_layers_multiply():
    network = helpers.network("a", width=3)
    state = network.init(jax.random.key(0))
    found = cost.flops(network, state, helpers.IMAGE_SHAPE)
    # A 3x3 convolution to 4x4x3 and a dense layer to 4; XLA leaves out what pads the image.
    inside = sum(1 for y in range(4) for i in range(3) if 2 * y + i < 8) ** 2
    multiplications = inside * 3 + 4 * 4 * 3 * helpers.CLASSES
    rest = 4 * 4 * 3 * 2 + helpers.CLASSES
    assert 2 * multiplications <= found <= 2 * multiplications + 2 * rest


def test_networks_take_turns_and_the_first_call_of_a_turn_does_not_count():
    calls, turns = [], []

    def call(name):
        calls.append(name)
        return np.zeros(())

    found = cost.in_turns(
        {name: functools.partial(call, name) for name in "ab"},
        seconds=1e-9,
        each=lambda: turns.append(len(calls)),
    )
    assert calls == list("aabb") * cost.ROUNDS
    assert {name: len(times) for name, times in found.items()} == {"a": 3, "b": 3}
    assert len(turns) == 2 * cost.ROUNDS


def test_times_are_the_median_the_90th_percentile_and_images_a_second(monkeypatch):
    """Of known seconds: eleven calls of one image, and three of a batch of 8."""
    seconds = {1: [0.001 * place for place in range(1, 12)], 8: [0.5, 0.1, 0.2]}
    monkeypatch.setattr(cost, "prediction", lambda network, state, shape, size: size)
    monkeypatch.setattr(
        cost, "in_turns", lambda calls, **_: {name: seconds[size] for name, size in calls.items()}
    )
    found = cost.timing({"a": (None, None)}, helpers.IMAGE_SHAPE, batch_size=8)["a"]
    assert found == pytest.approx(
        {
            "latency_median": 6.0,
            "latency_p90": 10.0,
            "throughput": 8 / 0.2,
            "throughput_batch": 8,
        }
    )


def test_every_network_is_timed_alone_and_in_batches(monkeypatch):
    networks = {}
    for name in "ab":
        network = helpers.network(name)
        networks[name] = (network, network.init(jax.random.key(0)))
    turns: list[int] = []
    sizes: list[int] = []
    predict = cost.prediction

    def prediction(*arguments):
        call = predict(*arguments)
        sizes.append(call().shape[0])
        return call

    monkeypatch.setattr(cost, "prediction", prediction)
    found = cost.timing(
        networks, helpers.IMAGE_SHAPE, batch_size=8, seconds=1e-3, each=turns.append
    )
    assert turns == list(range(1, cost.turns(networks) + 1))
    assert sizes == [1, 1, 8, 8]
    assert found.keys() == {"a", "b"}


def test_known_times_count_where_all_networks_have_them(monkeypatch):
    network = helpers.network("a")
    rows = {name: (network, network.init(jax.random.key(0))) for name in ("a", "a after first")}
    known = dict.fromkeys(rows, cost.UNTIMED | {"throughput": 7.0})
    timed = []

    def timing(networks, *_, **__):
        timed.extend(networks)
        return dict.fromkeys(networks, cost.UNTIMED | {"throughput": 9.0})

    monkeypatch.setattr(cost, "timing", timing)

    def table(batch, known):
        found = cost.table(rows, helpers.IMAGE_SHAPE, teacher=None, batch=batch, known=known)
        assert found["a"] == found["a after first"]
        return found["a"]["throughput"]

    assert table(8, known) == 7.0
    assert table(0, known) is None
    assert timed == []
    assert table(8, {}) == 9.0
    # What one network's stages left is timed once.
    assert timed == ["a"]
