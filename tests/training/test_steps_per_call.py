"""Runs whose steps are loops on the device: the same lines, exact resume, and when it is chosen."""

import json

import jax
import numpy as np
import pytest

from configs import ce, kd
from kdjax import sweep
from kdjax.config import build
from kdjax.system.errors import UserError
from kdjax.training import train
from kdjax.training.fit import Interrupted
from tests.helpers import small, stop_at
from tests.training.test_run import assert_same_run

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
            train.run(looped(3, ce, ""), cut, stop_at(stop))
    train.run(looped(3, ce, ""), cut)
    assert_same_run(whole, cut)

    train.run(looped(1, ce, ""), single)
    assert len(lines(whole)) == len(lines(single))
    for looped_line, single_line in zip(lines(whole), lines(single), strict=True):
        assert looped_line.keys() == single_line.keys()
        assert (looped_line["step"], looped_line["stage"]) == (
            single_line["step"],
            single_line["stage"],
        )
        for name in looped_line.keys() - {"step", "stage"}:
            # An example on the border may fall to the other side.
            near = 0.02 if "accuracy" in name else 1e-3
            np.testing.assert_allclose(
                looped_line[name], single_line[name], rtol=1e-3, atol=near, err_msg=name
            )


def test_a_sweep_goes_on_as_it_began_on_another_machine(monkeypatch):
    """`auto` is a call for each member on a CPU, and one computation elsewhere."""
    grid = sweep.grid(looped(1), [("alpha", [0.1, 0.9])], 1)

    def way(stage):
        return stage.code.swept.vmap, stage.code.swept.together

    here = build.plan(grid, 1)
    assert way(here.stages[-1]) == (False, 1)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(jax, "default_backend", lambda: "gpu")
        there = build.plan(grid, 1)
    assert way(there.stages[-1]) == (True, 0)
    began = here.stages[-1].execution
    assert way(train.executed_as(there.stages[-1], began)) == (False, 1)


def test_what_stands_against_it_is_told(tmp_path):
    streamed = looped(2)
    streamed.data.input = "streaming"
    grouped = sweep.grid(looped(2), [("alpha", [0.1, 0.9])], 1, mode="separate")
    for config, words in (
        (streamed, "streamed"),
        (grouped, "groups"),
        (looped(-1), "steps_per_call is -1"),
    ):
        with pytest.raises(UserError, match=words):
            train.run(config, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    # Runs of another machine can be evaluated.
    build.plan(streamed, 1)


def test_too_little_memory_is_one_line(tmp_path, monkeypatch):
    def full(*arguments):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 byte")

    monkeypatch.setattr(train, "fit", full)
    with pytest.raises(UserError, match="lower config.batch_size$"):
        train.run(looped(1), tmp_path / "one")
    grid = sweep.grid(looped(1), [("alpha", [0.1, 0.9])], 1)
    with pytest.raises(UserError, match="batch_size, or of a sweep --together$"):
        train.run(grid, tmp_path / "grid")


@pytest.mark.slow
def test_sweeps_with_kept_answers_are_those_of_single_steps(tmp_path):
    """And a teacher's stage and its students' are cut off and go on."""
    results = {}
    for steps in (1, 3):
        config = looped(steps)
        config.teacher_cache, config.data.augment.pad = True, 0
        config.data.data_dir = str(tmp_path / "data")
        config = sweep.grid(config, [("alpha", [0.1, 0.9])], 1, mode="vmap")
        results[steps] = train.run(config, tmp_path / f"of {steps}")
    for stop in (5, 17):
        with pytest.raises(Interrupted):
            train.run(config, tmp_path / "cut", stop_at(stop))
    train.run(config, tmp_path / "cut")
    assert_same_run(tmp_path / "of 3", tmp_path / "cut")
    for name, figures in results[1]["networks"].items():
        other = results[3]["networks"][name]["last"]["test"]
        assert figures["last"]["test"]["loss"] == pytest.approx(other["loss"], rel=1e-3)
