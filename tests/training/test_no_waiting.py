"""After its first step a stage neither compiles again nor reads from the devices between lines."""

from typing import Any

import jax
import pytest

from configs import dml, kd
from kdjax.config.grid import make as make_grid
from kdjax.system import runtime
from kdjax.training import train
from tests.helpers import small

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


def scheduled_grid():
    config = small(kd, "digits,baseline=0")
    config.temperature = "linear(4, 1, finish=3)"
    return make_grid(config, [("alpha", [0.1, 0.9])], 2)


def scheduled_peers():
    config = small(dml, "digits")
    config.ramp_begin, config.ramp_finish = 0.0, 2.0
    return config


@pytest.mark.parametrize(
    "make", [scheduled_grid, pytest.param(scheduled_peers, marks=pytest.mark.slow)]
)
def test_nothing_compiles_after_the_first_epoch_of_a_stage(make, tmp_path):
    clock = runtime.CompileClock()
    config = make()
    per_epoch = 143 // config.batch_size
    compiled = {}

    def watch(step):
        compiled[step] = clock.programs
        return False

    train.run(config, tmp_path, watch)
    length = config.epochs * per_epoch
    assert max(compiled) == length * len(config.stage_order)
    for first in range(0, max(compiled), length):
        # Steps of the first epoch; validation and the first checkpoint come at its end.
        assert compiled[first + 1] == compiled[first + per_epoch - 1]
        assert compiled[first + per_epoch + 1] == compiled[first + length]


def test_devices_are_read_only_where_a_line_is_written(tmp_path, monkeypatch):
    config = small(kd, "digits,baseline=0")
    config.log_every = 3
    kind: Any = type(jax.numpy.zeros(()))
    value = kind._value
    reads = []

    def read(array):
        reads.append(1)
        return value.fget(array)

    monkeypatch.setattr(kind, "_value", property(read))
    at: dict[int, int] = {}

    def watch(step):
        # At an epoch's end it is asked again, after validation, which reads its scores.
        at.setdefault(step, len(reads))
        return False

    train.run(config, tmp_path, watch)
    per_epoch = 143 // config.batch_size
    for step in at:
        within = (step - 1) % per_epoch
        if within and step % config.log_every:
            assert at[step] == at[step - 1], f"step {step} read from the devices"
    assert at[3] > at[2]
