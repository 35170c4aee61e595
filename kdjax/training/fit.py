"""The host loop of one stage: epochs, logging, validation, selection, checkpoints."""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from kdjax.config.plan import Plan, Stage
from kdjax.runs.checkpoint import Checkpoints, Saved
from kdjax.runs.metrics_log import Metrics
from kdjax.step.members import initial_state
from kdjax.step.types import Frozen, NetState, TrainState
from kdjax.system.progress import Bar, console, duration
from kdjax.training import selection
from kdjax.training.feed import Feed
from kdjax.training.layouts import Layout
from kdjax.training.log import Log
from kdjax.training.scores import Evaluate
from kdjax.training.selection import Selection

_COMPILING = 2
"""The number of calls of the training step that compile: one of several steps has two lengths."""
_MEASURED = 2.0
"""Seconds of steps from which a stage's time is estimated; less where an epoch is shorter."""
_LONG = 60.0
"""A stage that takes at least so many seconds has its time printed."""


class Interrupted(Exception):
    """The run was asked to stop and has saved its state."""


class Session(NamedTuple):
    """The arguments of `fit` that all stages of a run share."""

    plan: Plan
    layout: Layout
    feeds: dict[str, Feed]
    """The feeds by the names of their splits."""
    writer: Metrics
    should_stop: Callable[[int], bool]
    """Asked after every call of the training step, with the run's step."""


class Outcome(NamedTuple):
    """A finished stage."""

    networks: dict[str, NetState]
    """The networks after the last step."""
    selection: Selection
    """The best networks on validation; empty without a validation split."""
    last_step: int
    """The run's step at the end."""
    epochs: int
    seconds: float
    """The time of training and validation, with compilation, without saving."""


def fit(
    session: Session,
    stage: Stage,
    frozen: Mapping[str, Frozen],
    starts: Mapping[str, NetState],
    checkpoints: Checkpoints,
    evaluate: Evaluate,
    first_step: int,
) -> Outcome:
    """Trains one stage to its end, from its newest checkpoint if there is one.

    `frozen` holds the stage's frozen networks, on the devices; `starts` the initial variables of
    trained networks that do not start afresh; `first_step` is the run's step at which the stage
    begins.

    Raises:
        Interrupted: the run was asked to stop; everything is saved.
    """
    plan, layout, train = session.plan, session.layout, session.feeds["train"]
    train_step = layout.train_step(stage.code, stage.steps_per_call)
    hyper, frozen = layout.replicate(stage.hyper), dict(frozen)
    per_epoch = train.count // stage.batch_size
    total = stage.epochs * per_epoch
    state, best_networks, progress = _start(session, stage, frozen, starts, checkpoints)
    best = Selection(best_networks, progress["selected"])
    done, seconds = progress["batches"], progress["seconds"]
    epoch = done // per_epoch
    # Not read from the checkpoint: the stage may have more epochs than before.
    finished = selection.is_over(stage, best.records, epoch)
    log = Log(session.writer, stage, first_step, plan.log_every, progress["waiting"])

    def save(seconds: float) -> None:
        progress = {
            "first_step": first_step,
            "seconds": seconds,
            "selected": best.records,
            "waiting": log.waiting(),
            "layout": layout.description,
            "execution": stage.execution,
            "batches": done,
        }
        checkpoints.save(first_step + done, Saved(state, best.networks, progress))

    batches = train.training(
        batch_size=stage.batch_size,
        seed=plan.data_seed,
        epochs=stage.epochs,
        first=done,
        per_call=stage.steps_per_call,
    )
    estimate = _Estimate(plan, stage, total)
    with Bar(stage.name, total, done) as bar, contextlib.closing(batches):
        while not finished:
            started = time.perf_counter()
            end = (epoch + 1) * per_epoch
            while done < end:
                arguments = next(batches)
                state, metrics = train_step(state, frozen, hyper, *arguments)
                done += np.size(arguments[-1])
                log.add(done, metrics, bar)
                estimate.update(done, state, last=done == end)
                if session.should_stop(first_step + done) and done < end:
                    save(seconds + time.perf_counter() - started)
                    raise Interrupted(first_step + done)
            epoch += 1
            networks = layout.collect(state.networks)
            last = epoch == stage.epochs
            if "validation" in session.feeds and (last or epoch % plan.validate_every_epochs == 0):
                scores = evaluate(networks, session.feeds["validation"])
                best = selection.update(best, networks, scores, step=first_step + done, epoch=epoch)
                log.validation(done, scores, epoch, bar)
            jax.block_until_ready(state)
            seconds += time.perf_counter() - started
            finished = selection.is_over(stage, best.records, epoch)
            if finished:
                log.flush(done, bar)
            stopping = session.should_stop(first_step + done) and not finished
            if finished or stopping or epoch % plan.checkpoint_every_epochs == 0:
                save(seconds)
            if stopping:
                raise Interrupted(first_step + done)
        bar.finish_at(done)
    return Outcome(
        networks=layout.collect(state.networks),
        selection=best,
        last_step=first_step + done,
        epochs=epoch,
        seconds=seconds,
    )


class _Estimate:
    """Prints once, from a stage's first steps, how long the stage takes, if that is long."""

    def __init__(self, plan: Plan, stage: Stage, total: int):
        names = [stage.name for stage in plan.stages]
        self._stage, self._total = stage, total
        self._later = names[names.index(stage.name) + 1 :]
        self._calls, self._is_done = 0, False
        self._start: tuple[float, int] | None = None
        """The time and the number of steps when the measurement began."""

    def update(self, done: int, state: TrainState, *, last: bool) -> None:
        """To be called after every call of the training step, with the stage's steps so far.

        After the `last` call of an epoch comes validation, which is not measured.
        """
        if self._is_done:
            return
        self._calls += 1
        if self._start is None:
            if self._calls >= _COMPILING and not last:
                jax.block_until_ready(state)
                self._start = time.perf_counter(), done
            return
        started, first = self._start
        if not last and time.perf_counter() - started < _MEASURED:
            return
        jax.block_until_ready(state)
        step = (time.perf_counter() - started) / (done - first)
        left, self._is_done = step * (self._total - done), True
        if left >= _LONG:
            more = f"; after it: {', '.join(self._later)}" if self._later else ""
            epoch = duration(step * (self._total // self._stage.epochs))
            console.print(
                f"{self._stage.name}: {step:.2g} s a step, {epoch} an epoch, about "
                f"{duration(left)} left of this stage beside validation{more}",
                soft_wrap=True,
            )


def _start(
    session: Session,
    stage: Stage,
    frozen: dict[str, Frozen],
    starts: Mapping[str, NetState],
    checkpoints: Checkpoints,
) -> Saved:
    """The stage's newest checkpoint, or its state before the first update."""
    layout, shape = session.layout, session.plan.data.image_shape

    initialise = jax.jit(
        lambda hyper, frozen, starts: initial_state(stage.code, hyper, frozen, shape, starts)
    )
    fresh = layout.spread(initialise(stage.hyper, frozen, dict(starts)))
    newest = checkpoints.latest()
    if newest is None:
        return Saved(fresh, {}, {"batches": 0, "seconds": 0.0, "selected": {}, "waiting": []})
    checkpoints.require_layout(newest, layout.description)
    return checkpoints.restore(newest, fresh, layout.collect(fresh.networks))
