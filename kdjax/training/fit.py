"""The host loop of one stage: epochs, logging, validation, selection, checkpoints."""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax.config.plan import Plan, Stage
from kdjax.runs.checkpoint import Checkpoints, Saved
from kdjax.runs.metrics_log import Metrics
from kdjax.step import members, step
from kdjax.step.types import NetState, TrainState
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
"""Seconds from which a stage's time is said."""


class Interrupted(Exception):
    """The run was asked to stop and has saved where it was."""


class Session(NamedTuple):
    """What all stages of a run share."""

    plan: Plan
    layout: Layout
    feeds: dict[str, Feed]
    """Of every split."""
    writer: Metrics
    should_stop: Callable[[int], bool]
    """Asked after every call of the training step, with the run's step."""


class Outcome(NamedTuple):
    """A finished stage."""

    networks: dict[str, NetState]
    """As the last step left them."""
    selection: Selection
    """The best on validation; empty without a validation split."""
    last_step: int
    """The run's step at the end."""
    epochs: int
    seconds: float
    """Of training and validation, with the first step's compilation, without saving."""


class _Progress(NamedTuple):
    """How far a stage is; beside the training state, all that resuming needs."""

    state: TrainState
    selection: Selection
    batches: int
    """How many the stage has seen: the position from which its input goes on."""
    seconds: float
    waiting: list[dict[str, float]]
    """Metrics of the steps since the last line of the log."""


def fit(
    session: Session,
    stage: Stage,
    frozen: Mapping[str, step.Frozen],
    starts: Mapping[str, NetState],
    checkpoints: Checkpoints,
    evaluate: Evaluate,
    first_step: int,
) -> Outcome:
    """Trains one stage to its end, from its newest checkpoint if there is one.

    Args:
        session: what all stages share.
        stage: what to train.
        frozen: the networks that the stage reads and does not train, on the devices.
        starts: what trained networks start from, for those that do not start afresh.
        checkpoints: this stage's.
        evaluate: of this stage's networks.
        first_step: the run's step at which the stage begins.

    Raises:
        Interrupted: the run was asked to stop; everything is saved.
    """
    plan, layout, code = session.plan, session.layout, stage.code
    train_step = layout.train_step(code, stage.steps_per_call)
    hyper, frozen = layout.replicate(stage.hyper), dict(frozen)
    train = session.feeds["train"]
    per_epoch = train.count // stage.batch_size
    state, best, done, seconds, waiting = _start(session, stage, frozen, starts, checkpoints)
    epoch = done // per_epoch
    # Not read from the checkpoint: the stage may have been given more epochs since.
    finished = epoch >= stage.epochs or selection.is_over(
        best.records, epoch, patience=stage.patience
    )
    log = Log(session.writer, stage, first_step, plan.log_every, waiting)

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
    pace = _Pace(plan, stage, stage.epochs * per_epoch)
    with Bar(stage.name, stage.epochs * per_epoch, done) as bar, contextlib.closing(batches):
        while not finished:
            started = time.perf_counter()
            end = (epoch + 1) * per_epoch
            while done < end:
                source, view, position = next(batches)
                state, metrics = train_step(state, frozen, hyper, source, view, position)
                done += np.size(position)
                log.add(done, metrics, bar)
                pace.after(done, state, last=done == end)
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
            finished = last or selection.is_over(best.records, epoch, patience=stage.patience)
            if finished:
                log.flush(done, bar)
            stopping = session.should_stop(first_step + done) and not finished
            if finished or stopping or epoch % plan.checkpoint_every_epochs == 0:
                save(seconds)
            if stopping:
                raise Interrupted(first_step + done)
        bar.finish_at(done)
    networks = layout.collect(state.networks)
    return Outcome(networks, best, first_step + done, epoch, seconds)


class _Pace:
    """Says once, from a stage's first steps, how long the stage takes, if that is long."""

    def __init__(self, plan: Plan, stage: Stage, total: int):
        names = [one.name for one in plan.stages]
        self._stage, self._total = stage, total
        self._later = names[names.index(stage.name) + 1 :]
        self._calls, self._told = 0, False
        self._from: tuple[float, int] | None = None

    def after(self, done: int, state: TrainState, *, last: bool) -> None:
        """To be called after every call of the training step.

        Args:
            done: steps of the stage.
            state: what the call left.
            last: whether it was the epoch's last: validation, which is not measured, comes next.
        """
        if self._told:
            return
        self._calls += 1
        if self._from is None:
            # The first calls compile.
            if self._calls >= _COMPILING and not last:
                jax.block_until_ready(state)
                self._from = time.perf_counter(), done
            return
        began, first = self._from
        if not last and time.perf_counter() - began < _MEASURED:
            return
        jax.block_until_ready(state)
        step = (time.perf_counter() - began) / (done - first)
        left, self._told = step * (self._total - done), True
        if left < _LONG:
            return
        more = f"; after it: {', '.join(self._later)}" if self._later else ""
        epoch = self._total // self._stage.epochs
        console.print(
            f"{self._stage.name}: {step:.2g} s a step, {duration(epoch * step)} an epoch, about "
            f"{duration(left)} left of this stage beside validation{more}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _start(
    session: Session,
    stage: Stage,
    frozen: dict[str, step.Frozen],
    starts: Mapping[str, NetState],
    checkpoints: Checkpoints,
) -> _Progress:
    """The stage's newest checkpoint, or its networks before the first update."""
    layout, shape = session.layout, session.plan.data.image_shape

    @jax.jit
    def initialise(
        hyper: Any, frozen: dict[str, step.Frozen], starts: dict[str, NetState]
    ) -> TrainState:
        return members.initial_state(stage.code, hyper, frozen, shape, starts)

    fresh = layout.spread(initialise(stage.hyper, frozen, dict(starts)))
    newest = checkpoints.latest()
    if newest is None:
        return _Progress(fresh, Selection({}, {}), 0, 0.0, [])
    checkpoints.require_layout(newest, layout.description)
    like = layout.collect(fresh.networks)
    saved = checkpoints.restore(newest, fresh, like)
    progress = saved.progress
    best = Selection(saved.selected, progress["selected"])
    return _Progress(
        saved.state,
        best,
        progress["batches"],
        progress["seconds"],
        progress["waiting"],
    )
