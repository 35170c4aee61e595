"""A whole run: its stages in order, and the record of what came out."""

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from kdjax import build, evaluation, execution, parallel, restore, runtime, teacher_cache, workdir
from kdjax.checkpoint import Checkpoints
from kdjax.errors import UserError
from kdjax.fit import Interrupted, Outcome, Session, fit
from kdjax.models import linen
from kdjax.types import NetState
from kdjax.writers import Metrics, write_json

Result = dict[str, Any]


def run(
    config: ConfigDict, directory: Path, should_stop: Callable[[int], bool] = lambda step: False
) -> Result:
    """Trains every stage of a config, or what is left of them, and writes `result.json`.

    Args:
        config: as `configs/base.py` lays it out.
        directory: the workdir; one that was cut off goes on where it was, bit for bit.
        should_stop: asked after every call of the training step, which may be several updates,
            with the run's step; True saves and ends.

    Returns:
        What `result.json` holds.

    Raises:
        UserError: something that the user can mend.
        Interrupted: `should_stop` said so.
    """
    workdir.require_same(config, directory)
    before = workdir.load_result(directory)
    if before and before["finished"]:
        return before
    clock, began = runtime.CompileClock(), time.perf_counter()
    plan = build.plan(config, len(jax.local_devices()))
    execution.check(plan)
    result = before or _empty(config, plan)
    layout = parallel.make(plan.parallel, streaming=plan.streaming, workers=plan.workers)
    others = restore.others(plan, layout)
    result["restored"] = {name: other.origin for name, other in others.items()}
    workdir.open_for(config, directory)
    workdir.record_split(directory, plan.data)
    workdir.record_restored(directory, result["restored"])
    feeds = {name: layout.feed(split) for name, split in plan.data.splits.items()}
    folders = [Checkpoints(directory, stage.name) for stage in plan.stages]
    latest = max((folder.latest() or 0 for folder in folders), default=0)
    plan = execution.settle(plan, _began(plan, folders))
    writer = Metrics(directory, step=latest, tensorboard=plan.tensorboard)
    session = Session(plan, layout, feeds, writer, should_stop)
    there = {name: other.state for name, other in others.items()}
    step = 0
    try:
        for stage, checkpoints in zip(plan.stages, folders, strict=True):
            frozen: dict[str, Any] = {name: there[name] for name in stage.program.frozen}
            if frozen and plan.teacher_cache and stage.name not in result["stages"]:
                frozen = teacher_cache.answers(plan, layout, feeds["train"], stage, frozen)
            starts = {name: there[start] for name, start in stage.init_from.items()}
            eval_step = layout.eval_step(stage.program)
            evaluate = evaluation.make(
                eval_step, layout, plan.eval_batch_size, plan.data.attributes
            )
            outcome = fit(session, stage, frozen, starts, checkpoints, evaluate, step)
            chosen = _chosen(stage, outcome)
            if stage.name not in result["stages"]:
                _record(result, session, stage, outcome, chosen, evaluate, step)
                write_json(directory / "result.json", result)
            there |= chosen
            step = outcome.last_step
            if stage is not plan.stages[-1] and should_stop(step):
                raise Interrupted(step)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        swept = any(stage.program.swept for stage in plan.stages)
        raise UserError(
            "the device's memory is too small: lower config.batch_size"
            + ", or of a sweep --together" * swept
        ) from error
    finally:
        # Each of them, also where closing another one fails.
        with contextlib.ExitStack() as closing:
            closing.callback(writer.close)
            for folder in folders:
                closing.callback(folder.close)
    result["finished"] = True
    result["last_start"] = {
        "seconds": round(time.perf_counter() - began, 3),
        "compile_seconds": round(clock.seconds, 3),
    }
    write_json(directory / "result.json", result)
    return result


def _began(plan: build.Plan, folders: Sequence[Checkpoints]) -> dict[str, Any]:
    """How the steps of stages that have begun are executed; {} where their version had one way."""
    newest = [(folder, folder.latest()) for folder in folders]
    return {
        stage.name: folder.progress(at).get("execution", {})
        for stage, (folder, at) in zip(plan.stages, newest, strict=True)
        if at is not None
    }


def _chosen(stage: build.Stage, outcome: Outcome) -> dict[str, NetState]:
    """The networks that teach later stages and head the result."""
    use_best = stage.select == "best" and outcome.selection.networks
    return outcome.selection.networks if use_best else outcome.networks


def _record(
    result: Result,
    session: Session,
    stage: build.Stage,
    outcome: Outcome,
    chosen: dict[str, NetState],
    evaluate: evaluation.Evaluate,
    first_step: int,
) -> None:
    """Adds a stage's figures: the only place that looks at the test split, once a stage."""
    splits: list[str] = [s for s in ("validation", "test") if s in session.feeds]
    last = {split: evaluate(outcome.networks, session.feeds[split]) for split in splits}
    best = last
    if chosen is not outcome.networks:
        best = {split: evaluate(chosen, session.feeds[split]) for split in splits}
    networks = {}
    for name, state in chosen.items():
        record = outcome.selection.records.get(name)
        use_best = stage.select == "best" and record is not None
        networks[name] = {
            "stage": stage.name,
            "parameters": linen.count(state.params),
            "parameters_with_statistics": linen.count(state),
            "step": record["step"] if use_best and record else outcome.last_step,
            "selected_by": "validation" if use_best else "last step",
            **_splits(best, name),
            "last": {"step": outcome.last_step, **_splits(last, name)},
        }
    # A network that several stages train is headed by the last; each keeps its own figures.
    result["networks"] |= networks
    result["stages"][stage.name] = {
        "first_step": first_step,
        "last_step": outcome.last_step,
        "epochs": outcome.epochs,
        "seconds": round(outcome.seconds, 3),
        "networks": networks,
    }


def _splits(figures: dict[str, dict[str, evaluation.Score]], name: str) -> dict[str, Any]:
    return {split: figures.get(split, {}).get(name) for split in ("validation", "test")}


def _empty(config: ConfigDict, plan: build.Plan) -> Result:
    return {
        "finished": False,
        "method": config.method,
        "seed": config.seed,
        "data": {
            "name": config.data.name,
            "source": plan.data.source,
            "content": plan.data.content,
            "seed": config.data.seed,
            "fraction": config.data.fraction,
            "refit": config.data.refit,
            "size": config.data.size,
            "input": "streaming" if plan.streaming else "resident",
            "examples": {name: len(split.id) for name, split in plan.data.splits.items()},
        },
        "networks": {},
        "stages": {},
        **runtime.environment(),
    }


__all__ = ["Interrupted", "UserError", "run"]
