"""The host loop of one stage: epochs, logging, validation, selection, checkpoints."""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax import members, selection, step
from kdjax.build import Plan, Stage
from kdjax.checkpoint import Checkpoints, Saved
from kdjax.errors import UserError
from kdjax.evaluation import Evaluate, Score
from kdjax.feed import Feed
from kdjax.parallel import Parallel
from kdjax.program import Program
from kdjax.progress import Bar
from kdjax.selection import Selection
from kdjax.types import NetState, TrainState
from kdjax.writers import Metrics

_NAMED = 4
"""So many networks' accuracies stand beside the bar; of more, the range."""


class Interrupted(Exception):
    """The run was asked to stop and has saved where it was."""


class Session(NamedTuple):
    """What all stages of a run share."""

    plan: Plan
    parallel: Parallel
    feeds: dict[str, Feed]
    """Of every split."""
    writer: Metrics
    should_stop: Callable[[int], bool]
    """Asked after every update, with the run's step."""


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
    finished: bool
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
    plan, parallel, program = session.plan, session.parallel, stage.program
    train_step = parallel.train_step(program)
    hyper, frozen = parallel.replicate(stage.hyper), dict(frozen)
    train = session.feeds["train"]
    per_epoch = train.count // stage.batch_size
    state, best, done, seconds, finished, waiting = _start(
        session, stage, frozen, starts, checkpoints
    )
    epoch = done // per_epoch
    log = _Log(session, stage, first_step, waiting)

    def save(seconds: float, finished: bool) -> None:
        progress = {
            "first_step": first_step,
            "seconds": seconds,
            "finished": finished,
            "selected": best.records,
            "waiting": log.waiting(),
            "layout": parallel.layout,
            "batches": done,
        }
        checkpoints.save(first_step + done, Saved(state, best.networks, progress))

    batches = train.training(
        batch_size=stage.batch_size, seed=plan.data_seed, epochs=stage.epochs, first=done
    )
    with Bar(stage.name, stage.epochs * per_epoch, done) as bar, contextlib.closing(batches):
        while not finished:
            started = time.perf_counter()
            for position in range(done % per_epoch, per_epoch):
                state, metrics = train_step(state, frozen, hyper, *next(batches))
                done += 1
                log.add(done, metrics, bar)
                if session.should_stop(first_step + done) and position + 1 < per_epoch:
                    save(seconds + time.perf_counter() - started, False)
                    raise Interrupted(first_step + done)
            epoch += 1
            networks = parallel.collect(state.networks)
            last = epoch == stage.epochs
            if "validation" in session.feeds and (last or epoch % plan.validate_every_epochs == 0):
                scores = evaluate(networks, session.feeds["validation"])
                best = selection.update(best, networks, scores, step=first_step + done, epoch=epoch)
                log.validation(done, scores, bar, epoch)
            jax.block_until_ready(state)
            seconds += time.perf_counter() - started
            finished = last or _patience_over(stage, best, epoch)
            if finished:
                log.flush(done, bar)
            stopping = session.should_stop(first_step + done) and not finished
            if finished or stopping or epoch % plan.checkpoint_every_epochs == 0:
                save(seconds, finished)
            if stopping:
                raise Interrupted(first_step + done)
        bar.finish_at(done)
    networks = parallel.collect(state.networks)
    return Outcome(networks, best, first_step + done, epoch, seconds)


def initial_networks(program: Program, hyper: Any) -> dict[str, NetState]:
    """The trained networks before the first update; of several members, `hyper` is by label."""
    if program.swept:
        return members.initial_networks(program.swept, hyper)
    return {name: step.init_network(program.networks[name], hyper.seed) for name in program.trained}


def initial_state(
    program: Program,
    hyper: Any,
    frozen: Mapping[str, step.Frozen],
    image_shape: tuple[int, int, int],
    starts: Mapping[str, NetState] = MappingProxyType({}),
) -> TrainState:
    """The state before the first update, of a stage of one member or of several.

    Args:
        program: the stage's code.
        hyper: its hyper-parameters; of several members, by label.
        frozen: variables of the networks that it does not train.
        image_shape: `(h, w, c)`.
        starts: what trained networks start from, for those that do not start afresh.
    """
    networks = {**initial_networks(program, hyper), **starts}
    if program.swept:
        return members.init_state(program.swept, hyper, networks, frozen, image_shape)
    return step.init_state(program, hyper, networks, frozen, image_shape)


def _patience_over(stage: Stage, best: Selection, epoch: int) -> bool:
    return bool(stage.patience and best.records and selection.stale(best, epoch) >= stage.patience)


def _start(
    session: Session,
    stage: Stage,
    frozen: dict[str, step.Frozen],
    starts: Mapping[str, NetState],
    checkpoints: Checkpoints,
) -> _Progress:
    """The stage's newest checkpoint, or its networks before the first update."""
    parallel, shape = session.parallel, session.plan.data.image_shape

    @jax.jit
    def initialise(
        hyper: Any, frozen: dict[str, step.Frozen], starts: dict[str, NetState]
    ) -> TrainState:
        return initial_state(stage.program, hyper, frozen, shape, starts)

    fresh = parallel.spread(initialise(stage.hyper, frozen, dict(starts)))
    newest = checkpoints.latest()
    if newest is None:
        return _Progress(fresh, Selection({}, {}), 0, 0.0, False, [])
    checkpoints.require_layout(newest, parallel.layout)
    like = parallel.collect(fresh.networks)
    saved = checkpoints.restore(newest, fresh, like)
    progress = saved.progress
    best = Selection(saved.selected, progress["selected"])
    return _Progress(
        saved.state,
        best,
        progress["batches"],
        progress["seconds"],
        progress["finished"],
        progress["waiting"],
    )


class _Log:
    """Averages the metrics of a few steps; reads them from the device only when it writes."""

    def __init__(
        self, session: Session, stage: Stage, first_step: int, waiting: list[dict[str, Any]]
    ):
        self._session, self._stage, self._first = session, stage, first_step
        self._waiting = list(waiting)
        self._latest: dict[str, float] = {}

    def waiting(self) -> list[dict[str, float]]:
        """Metrics that are not written yet, so that a resumed run can write them."""
        rows = jax.device_get(self._waiting)
        return [{name: float(value) for name, value in row.items()} for row in rows]

    def add(self, done: int, metrics: dict[str, Any], bar: Bar) -> None:
        self._waiting.append(metrics)
        if done % self._session.plan.log_every == 0:
            self.flush(done, bar)

    def flush(self, done: int, bar: Bar) -> None:
        """Writes what waits, if anything does."""
        rows = self.waiting()
        if not rows:
            return
        self._waiting = []
        self._latest = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        self._write(done, {f"train/{name}": value for name, value in self._latest.items()})
        bar.to(done, self._figures())

    def validation(self, done: int, scores: dict[str, Score], bar: Bar, epoch: int) -> None:
        named = {
            f"val/{name}/{key}": value
            for name, score in scores.items()
            for key, value in score.items()
        }
        self._write(done, named)
        accuracies = "  ".join(f"{name} {score['accuracy']:.2%}" for name, score in scores.items())
        if len(scores) > _NAMED:
            every = [score["accuracy"] for score in scores.values()]
            accuracies = f"{len(every)} networks, {min(every):.2%} to {max(every):.2%}"
        bar.to(done)
        bar.note(
            f"epoch {epoch}/{self._stage.epochs}, validation: {accuracies}",
            short="val "
            + " ".join(f"{score['accuracy']:.1%}" for score in [*scores.values()][:_NAMED]),
        )

    def _write(self, done: int, named: dict[str, float]) -> None:
        for name, value in named.items():
            if not math.isfinite(value):
                raise UserError(
                    f"stage {self._stage.name!r} diverged: {name} is {value} at step "
                    f"{self._first + done}; lower config.learning_rate, or warm up"
                )
        self._session.writer.write(self._first + done, self._stage.name, named)

    def _figures(self) -> str:
        accuracy = [v for name, v in self._latest.items() if name.endswith("/accuracy")]
        # Of several members the means.
        loss = [value for name, value in self._latest.items() if name.split("@")[0] == "loss"]
        return f"loss {np.mean(loss):.3f} acc {np.mean(accuracy):.1%}"
