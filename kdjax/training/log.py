"""What a stage writes while it trains: metrics of its steps, averaged, and of its validations."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.config.plan import Stage
from kdjax.runs.metrics_log import Metrics
from kdjax.step import schedules
from kdjax.system.errors import UserError
from kdjax.system.progress import Bar
from kdjax.training.scores import Score

_NAMED = 4
"""So many networks' accuracies stand beside the bar; of more, the range."""


class Log:
    """Averages the metrics of a few steps; reads them from the device only when it writes."""

    def __init__(
        self,
        writer: Metrics,
        stage: Stage,
        first_step: int,
        every: int,
        waiting: list[dict[str, Any]],
    ):
        """Of a stage that begins at the run's `first_step`; a line for `every` so many steps.

        `waiting` is what an interrupted run has not written yet.
        """
        self._writer, self._stage, self._first, self._every = writer, stage, first_step, every
        self._waiting = list(waiting)
        self._latest: dict[str, float] = {}

    def waiting(self) -> list[dict[str, float]]:
        """Metrics of steps that are not written yet, so that a resumed run can write them."""
        rows: list[dict[str, float]] = []
        for call in jax.device_get(self._waiting):
            of_steps = {name: np.atleast_1d(values) for name, values in call.items()}
            for values in zip(*of_steps.values(), strict=True):
                rows.append(dict(zip(of_steps, map(float, values), strict=True)))
        return rows

    def add(self, done: int, metrics: dict[str, Any], bar: Bar) -> None:
        """Takes the metrics of one call, of a step or `[n]` of n, that ended after `done` steps."""
        self._waiting.append(metrics)
        before = done - np.size(next(iter(metrics.values())))
        if done // self._every == before // self._every:
            return
        rows = self.waiting()
        written = done - len(rows)
        for line in range((before // self._every + 1) * self._every, done + 1, self._every):
            self._average(line, rows[: line - written], bar)
            rows, written = rows[line - written :], line
        self._waiting = rows

    def flush(self, done: int, bar: Bar) -> None:
        """Writes what waits, if anything does."""
        rows = self.waiting()
        if rows:
            self._average(done, rows, bar)
        self._waiting = []

    def validation(self, done: int, scores: dict[str, Score], epoch: int, bar: Bar) -> None:
        """Writes the scores of every network after so many steps and epochs."""
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

    def _average(self, done: int, rows: list[dict[str, float]], bar: Bar) -> None:
        for step, row in enumerate(rows, start=done - len(rows) + 1):
            self._require_finite(step, row)
        self._latest = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        self._write(done, {f"train/{name}": value for name, value in self._latest.items()})
        bar.to(done, self._figures())

    def _write(self, done: int, named: dict[str, float]) -> None:
        self._require_finite(done, named)
        self._writer.write(self._first + done, self._stage.name, named)

    def _require_finite(self, step: int, named: dict[str, float]) -> None:
        """Raises what is known of the first value that is not finite."""
        for name, value in named.items():
            if not math.isfinite(value):
                raise UserError(
                    f"stage {self._stage.name!r} diverged: {name} is {value} at step "
                    f"{self._first + step}, {self._known(step, name, named)}"
                )

    def _known(self, step: int, name: str, named: dict[str, float]) -> str:
        """The term's values at that step of the stage, and the networks whose outputs to look at.

        A network that a term with a finite value reads too is not among them, if any other is.
        """
        stage = self._stage
        term, at, label = name.partition("/")[0].partition("@")
        code = stage.code.swept.base if stage.code.swept else stage.code
        hyper = stage.hyper[label] if stage.code.swept and at else stage.hyper
        if term not in code.terms:
            return f"after {_updates(step)}: lower config.learning_rate, or warm up"
        # A step's value is computed ahead of its update.
        now = jax.device_get(schedules.evaluate(hyper, jnp.int32(step - 1)))
        values = {"learning rate": now.learning_rate, **now.terms[term]}
        finite = [
            other for other in code.terms if math.isfinite(named.get(f"{other}{at}{label}", 0))
        ]
        elsewhere = {network for other in finite for network in code.terms[other].reads}
        read = code.terms[term].reads
        suspects = [network for network in read if network not in elsewhere] or read
        advice = "lower config.learning_rate, or warm up" if step > 1 else "no update came before"
        return (
            f"after {_updates(step - 1)} ({', '.join(f'{k} {v:.4g}' for k, v in values.items())}): "
            f"{advice}; look at the outputs of {' and '.join(suspects)}"
        )

    def _figures(self) -> str:
        accuracy = [v for name, v in self._latest.items() if name.endswith("/accuracy")]
        # Of several members the means.
        loss = [value for name, value in self._latest.items() if name.split("@")[0] == "loss"]
        return f"loss {np.mean(loss):.3f} acc {np.mean(accuracy):.1%}"


def _updates(count: int) -> str:
    return f"{count} update{'s' * (count != 1)}"
