"""Arithmetic and time of predictions."""

import jax
import numpy as np

from kdjax import cost
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
        {name: lambda name=name: call(name) for name in "ab"},
        seconds=1e-9,
        each=lambda: turns.append(len(calls)),
    )
    assert calls == list("aabb") * cost.ROUNDS
    assert {name: len(times) for name, times in found.items()} == {"a": 3, "b": 3}
    assert len(turns) == 2 * cost.ROUNDS


def test_timing_reports_every_network():
    networks = {}
    for name in "ab":
        network = helpers.network(name)
        networks[name] = (network, network.init(jax.random.key(0)))
    turns = []
    found = cost.timing(
        networks, helpers.IMAGE_SHAPE, batch_size=8, seconds=1e-3, each=turns.append
    )
    assert turns == list(range(1, cost.turns(networks) + 1))
    for figures in found.values():
        assert 0 < figures["latency_median"] <= figures["latency_p90"]
        assert figures["throughput"] > 0
        assert figures["throughput_batch"] == 8
