"""The metrics that a stage writes while it trains: of its steps, averaged, and of validation."""

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
"""The largest number of networks with accuracies of their own beside the bar; else the range."""


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
        """A log with one line for `every` so many steps.

        `first_step` is the run's step at which the stage begins, and `waiting` the metrics that an
        interrupted run has not written yet.
        """
        self._writer, self._stage, self._first, self._every = writer, stage, first_step, every
        self._waiting = list(waiting)

    def waiting(self) -> list[dict[str, float]]:
        """Metrics of steps that are not written yet, so that a resumed run can write them."""
        rows: list[dict[str, float]] = []
        for call in jax.device_get(self._waiting):
            columns = [np.atleast_1d(values).tolist() for values in call.values()]
            rows += [dict(zip(call, row, strict=True)) for row in zip(*columns, strict=True)]
        return rows

    def add(self, done: int, metrics: dict[str, Any], bar: Bar) -> None:
        """Takes the metrics of one call, of a step or `[n]` of n, that ended after `done` steps."""
        self._waiting.append(metrics)
        before = done - np.size(next(iter(metrics.values())))
        if done // self._every == before // self._every:
            return
        rows, self._waiting = self.waiting(), []
        for step, row in enumerate(rows, start=done - len(rows) + 1):
            self._waiting.append(row)
            if step % self._every == 0:
                self.flush(step, bar)

    def flush(self, done: int, bar: Bar) -> None:
        """Writes the mean of the waiting metrics, if there are any; `done` is their last step."""
        rows, self._waiting = self.waiting(), []
        if not rows:
            return
        for step, row in enumerate(rows, start=done - len(rows) + 1):
            self._require_finite(step, row)
        means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        self._write(done, {f"train/{name}": value for name, value in means.items()})
        # Behind the bar, the mean over networks and over members.
        loss = np.mean([value for name, value in means.items() if name.split("@")[0] == "loss"])
        accuracies = [value for name, value in means.items() if name.endswith("/accuracy")]
        accuracy = f" acc {np.mean(accuracies):.1%}" if accuracies else ""
        bar.to(done, f"loss {loss:.3f}{accuracy}")

    def validation(self, done: int, scores: dict[str, Score], epoch: int, bar: Bar) -> None:
        """Writes the scores of every network after so many steps and epochs."""
        flat = {
            f"val/{n}/{key}": value for n, score in scores.items() for key, value in score.items()
        }
        self._write(done, flat)
        if not scores:
            return
        values = [score["accuracy"] for score in scores.values()]
        text = "  ".join(f"{name} {value:.2%}" for name, value in zip(scores, values, strict=True))
        if len(scores) > _NAMED:
            text = f"{len(values)} networks, {min(values):.2%} to {max(values):.2%}"
        bar.to(done)
        bar.note(
            f"epoch {epoch}/{self._stage.epochs}, validation: {text}",
            short="val " + " ".join(f"{value:.1%}" for value in values[:_NAMED]),
        )

    def _write(self, done: int, values: dict[str, float]) -> None:
        self._require_finite(done, values)
        self._writer.write(self._first + done, self._stage.name, values)

    def _require_finite(self, step: int, values: dict[str, float]) -> None:
        """Raises an error about the first value that is not finite."""
        for name, value in values.items():
            if not math.isfinite(value):
                raise UserError(
                    f"stage {self._stage.name!r} diverged: {name} is {value} at step "
                    f"{self._first + step}, {self._diagnosis(step, name, values)}"
                )

    def _diagnosis(self, step: int, name: str, values: dict[str, float]) -> str:
        """The hyper-parameters of a diverged term, and the networks whose outputs to look at.

        A network is left out if a term with a finite value reads it too, unless all would be.
        """
        code, hyper = self._stage.code.member, self._stage.hyper
        term, at, label = name.partition("/")[0].partition("@")
        if term not in code.terms:
            return f"after {_updates(step)}: lower config.learning_rate, or warm up"
        # A step's loss is computed before its update.
        own_hyper = hyper[label] if at and self._stage.code.swept else hyper
        now = jax.device_get(schedules.evaluate(own_hyper, jnp.int32(step - 1)))
        settings = {"learning rate": now.learning_rate, **now.terms[term]}
        shown = ", ".join(f"{key} {value:.4g}" for key, value in settings.items())
        innocent = {
            network
            for name, other in code.terms.items()
            if math.isfinite(values.get(f"{name}{at}{label}", 0))
            for network in other.reads
        }
        read = code.terms[term].reads
        suspects = " and ".join([network for network in read if network not in innocent] or read)
        advice = "lower config.learning_rate, or warm up" if step > 1 else "no update came before"
        return f"after {_updates(step - 1)} ({shown}): {advice}; look at the outputs of {suspects}"


def _updates(count: int) -> str:
    return f"{count} update{'s' * (count != 1)}"
