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
    found = cost.flops(network, state)
    # A 3x3 convolution to 4x4x3 and a dense layer to 4; XLA leaves out what pads the image.
    inside = sum(1 for y in range(4) for i in range(3) if 2 * y + i < 8) ** 2
    multiplications = inside * 3 + 4 * 4 * 3 * helpers.CLASSES
    rest = 4 * 4 * 3 * 2 + helpers.CLASSES
    assert 2 * multiplications <= found <= 2 * multiplications + 2 * rest


class Clock:
    """A clock that only the timed calls move, each by its next number of seconds."""

    def __init__(self, **seconds):
        self.now = 0.0
        self.calls = []
        self._seconds = {name: iter(values) for name, values in seconds.items()}

    def perf_counter(self):
        return self.now

    def call(self, name):
        self.calls.append(name)
        self.now += next(self._seconds[name])
        return np.zeros(())


@pytest.fixture
def clock(monkeypatch):
    """`clock(a=[seconds, ...])`: in place of the machine's clock."""

    def start(**seconds):
        made = Clock(**seconds)
        monkeypatch.setattr(cost, "time", made)
        return made

    return start


def test_networks_take_turns_and_the_first_call_of_a_turn_does_not_count(clock):
    # Every turn lasts until a second is over, without its first call.
    fake = clock(a=[9.0, 2.0, 9.0, 0.5, 0.75, 9.0, 1.0], b=[9.0, 1.0] * 3)
    calls = {name: functools.partial(fake.call, name) for name in "ab"}
    times = cost.in_turns(calls, seconds=3.0)
    assert times == {"a": [2.0, 0.5, 0.75, 1.0], "b": [1.0, 1.0, 1.0]}
    assert "".join(fake.calls) == "aabbaaabbaabb"


def test_times_are_the_median_the_90th_percentile_and_images_a_second(clock, monkeypatch):
    """Eleven calls of one image, in the last turn nine of them, and three calls of a batch of 8."""
    single = [7.0, 0.3, 7.0, 0.3, 7.0, *(0.001 * place for place in range(1, 9)), 0.3]
    fake = clock(single=single, batch=[7.0, 0.5, 7.0, 0.1, 7.0, 0.2])
    sizes = []

    def prediction(network, state, images):
        sizes.append(images)
        return lambda: fake.call("single" if images == 1 else "batch")

    monkeypatch.setattr(cost, "prediction", prediction)
    times = cost.timing({"a": (None, None)}, batch_size=8, seconds=0.3)["a"]
    assert sizes == [1, 8]
    assert times == pytest.approx(
        {
            # Sorted: 1 to 8 ms, and three times 300 ms.
            "latency_median": 6.0,
            "latency_p90": 300.0,
            "throughput": 8 / 0.2,
            "throughput_batch": 8,
        }
    )


def test_a_prediction_is_of_so_many_images():
    network = helpers.network("a")
    call = cost.prediction(network, network.init(jax.random.key(0)), 8)
    assert call().shape == (8, helpers.CLASSES)
    np.testing.assert_array_equal(call(), call())


def test_known_times_count_where_all_networks_have_them(monkeypatch):
    network = helpers.network("a")
    rows = {name: (network, network.init(jax.random.key(0))) for name in ("a", "a after first")}
    known = dict.fromkeys(rows, cost.UNTIMED | {"throughput": 7.0})
    timed = []

    def timing(networks, *_, **__):
        timed.extend(networks)
        return dict.fromkeys(networks, cost.UNTIMED | {"throughput": 9.0})

    monkeypatch.setattr(cost, "timing", timing)

    def throughput(batch_size, known):
        found = cost.costs(rows, teacher=None, batch_size=batch_size, known=known)
        assert found["a"] == found["a after first"]
        return found["a"]["throughput"]

    assert throughput(8, known) == 7.0
    assert throughput(0, known) is None
    assert timed == []
    assert throughput(8, {}) == 9.0
    # The network is timed once, whatever the number of stages that left it.
    assert timed == ["a"]
