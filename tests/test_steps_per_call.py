"""Runs whose steps are loops on the device: the same lines, exact resume, and when it is chosen."""

import json

import jax
import numpy as np
import pytest

from configs import ce, kd
from kdjax import build, sweep, train
from kdjax.errors import UserError
from kdjax.fit import Interrupted
from tests.helpers import small
from tests.test_run import assert_same_run

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]


def looped(steps=3, make=kd, argument="digits,baseline=0"):
    """Four steps an epoch: a call of one and a call of three; a line after every two."""
    config = small(make, argument)
    config.steps_per_call = steps
    return config


def lines(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def test_a_run_resumes_exactly_and_logs_at_the_same_steps(tmp_path):
    whole, cut, single = tmp_path / "whole", tmp_path / "cut", tmp_path / "single"
    asked = []
    train.run(looped(3, ce, ""), whole, lambda step: asked.append(step))
    # After every call.
    assert sorted({*asked}) == [1, 4, 5, 8, 9, 12]
    for stop in (5, 8):
        with pytest.raises(Interrupted):
            train.run(looped(3, ce, ""), cut, lambda step, stop=stop: step == stop)
    train.run(looped(3, ce, ""), cut)
    assert_same_run(whole, cut)

    train.run(looped(1, ce, ""), single)
    assert len(lines(whole)) == len(lines(single))
    for one, other in zip(lines(whole), lines(single), strict=True):
        assert one.keys() == other.keys()
        assert (one["step"], one["stage"]) == (other["step"], other["stage"])
        for name in one.keys() - {"step", "stage"}:
            # An example on the border may fall to the other side.
            near = 0.02 if "accuracy" in name else 1e-3
            np.testing.assert_allclose(one[name], other[name], rtol=1e-3, atol=near, err_msg=name)


def test_it_is_chosen_by_backend_and_input(monkeypatch):
    def chosen(config):
        return [stage.steps_per_call for stage in build.plan(config, 1).stages]

    assert chosen(looped(0)) == [1, 1]
    assert chosen(looped(5)) == [5, 5]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert chosen(looped(0)) == [build.STEPS_PER_CALL] * 2
    assert chosen(looped(1)) == [1, 1]
    streamed = looped(0)
    streamed.data.input = "streaming"
    assert chosen(streamed) == [1, 1]
    axes = [("alpha", [0.1, 0.9])]
    grouped = sweep.grid(looped(0), axes, 1, mode="separate")
    # The teacher is shared and trained alone.
    assert chosen(grouped) == [build.STEPS_PER_CALL, 1]
    assert chosen(sweep.grid(looped(0), axes, 1, mode="vmap")) == [build.STEPS_PER_CALL] * 2


def test_what_stands_against_it_is_told():
    streamed = looped(2)
    streamed.data.input = "streaming"
    grouped = sweep.grid(looped(2), [("alpha", [0.1, 0.9])], 1, mode="separate")
    negative = looped(-1)
    for config, words in (
        (streamed, "streamed"),
        (grouped, "groups"),
        (negative, "steps_per_call is -1"),
    ):
        with pytest.raises(UserError, match=words):
            build.plan(config, 1)
