"""A whole run: its stages in order, and the record of what came out."""

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from kdjax.config import build
from kdjax.config.plan import Plan, Stage
from kdjax.models import linen
from kdjax.runs import restore, workdir
from kdjax.runs.checkpoint import Checkpoints
from kdjax.runs.metrics_log import Metrics
from kdjax.runs.writers import write_json
from kdjax.step.types import NetState
from kdjax.system import progress, runtime
from kdjax.system.errors import UserError
from kdjax.training import execution, layouts, scores, selection, teacher_cache
from kdjax.training.fit import Interrupted, Outcome, Session, fit

Result = dict[str, Any]


def run(
    config: ConfigDict,
    directory: Path,
    should_stop: Callable[[int], bool] = lambda step: False,
    unread: Collection[str] = (),
) -> Result:
    """Trains every stage of a config, or what is left of them, and writes `result.json`.

    Args:
        config: as `configs/base.py` lays it out.
        directory: the workdir; one that was cut off goes on where it was, bit for bit.
        should_stop: asked after every call of the training step, which may be several updates,
            with the run's step; True saves and ends.
        unread: keys of the config that the user has set and that nothing reads: a new run is
            refused, one that has begun goes on.

    Returns:
        What `result.json` holds.

    Raises:
        UserError: something that the user can mend.
        Interrupted: `should_stop` said so.
    """
    grown = workdir.require_same(config, directory)
    before = workdir.load_result(directory)
    if before and before["finished"] and not grown:
        return before
    clock, began = runtime.CompileClock(), time.perf_counter()
    if not (begun := workdir.begun(directory)):
        for key in unread:
            raise UserError(f"config.{key} is read by nothing in this config: leave it out")
    plan = build.plan(config, len(jax.local_devices()))
    if plan.teacher_cache and not begun and not any(s.code.frozen for s in plan.stages):
        raise UserError("config.teacher_cache is True, but no stage reads a frozen network")
    execution.check(plan)
    result = before or _empty(config, plan)
    layout = layouts.make(plan.parallel, streaming=plan.streaming, workers=plan.workers)
    others = {n: restore.other_runs_network(plan, layout, n) for n in plan.restored}
    result["restored"] = {name: other.origin for name, other in others.items()}
    workdir.open_for(config, directory)
    workdir.record_split(directory, plan.data)
    workdir.record_restored(directory, result["restored"])
    feeds = {name: layout.feed(split) for name, split in plan.data.splits.items()}
    folders = [Checkpoints(directory, stage.name) for stage in plan.stages]
    reached = _reached(plan, folders, result)
    if grown:
        _extend(result, plan, reached, grown)
        # In this order: what is cut off between them goes on with the former config.
        write_json(directory / "result.json", result)
        workdir.write_config(config, directory)
    plan = execution.settle(plan, {name: at["execution"] for name, at in reached.items()})
    steps = {name: at["step"] for name, at in reached.items()}
    writer = Metrics(directory, steps=steps, tensorboard=plan.tensorboard)
    session = Session(plan, layout, feeds, writer, should_stop)
    there = {name: other.state for name, other in others.items()}
    step = 0
    try:
        for stage, checkpoints in zip(plan.stages, folders, strict=True):
            frozen: dict[str, Any] = {name: there[name] for name in stage.code.frozen}
            if frozen and plan.teacher_cache and stage.name not in result["stages"]:
                frozen = teacher_cache.answers(plan, layout, feeds["train"], stage, frozen)
            starts = {name: there[start] for name, start in stage.init_from.items()}
            eval_step = layout.eval_step(stage.code)
            evaluate = scores.make(eval_step, layout, plan.eval_batch_size, plan.data.attributes)
            # Stages that were given more epochs have moved on from where later ones began.
            first = reached[stage.name]["first_step"] if stage.name in reached else step
            outcome = fit(session, stage, frozen, starts, checkpoints, evaluate, first)
            chosen = _chosen(stage, outcome)
            # A stage is recorded as finished only when its last checkpoint is whole.
            checkpoints.wait()
            if stage.name not in result["stages"]:
                _record(result, session, stage, outcome, chosen, evaluate, first)
                write_json(directory / "result.json", result)
            there |= chosen
            step = max(step, outcome.last_step)
            if stage is not plan.stages[-1] and should_stop(step):
                raise Interrupted(step)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        swept = any(stage.code.swept for stage in plan.stages)
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


def _reached(
    plan: Plan, folders: Sequence[Checkpoints], result: Result
) -> dict[str, dict[str, Any]]:
    """For every stage that has begun, the `step` of its newest checkpoint, and what that says.

    Raises:
        UserError: a stage has finished, and its checkpoint is gone.
    """
    reached = {}
    for stage, folder in zip(plan.stages, folders, strict=True):
        if (step := folder.latest()) is not None:
            reached[stage.name] = {**folder.progress(step), "step": step}
        elif stage.name in result["stages"]:
            raise UserError(
                f"stage {stage.name!r} has finished, but {folder.directory} has no checkpoint of "
                "it any more: put it back, or choose another --workdir"
            )
    return reached


def _extend(
    result: Result,
    plan: Plan,
    reached: Mapping[str, Mapping[str, Any]],
    grown: Mapping[str, int],
) -> None:
    """Opens the stages again that are to have more epochs than before.

    Args:
        result: gets where they ended before, in `earlier_ends`, and loses their figures.
        plan: of the new config.
        reached: what the newest checkpoint of every stage that has begun says.
        grown: by stage, the number of epochs of before.

    Raises:
        UserError: a later stage that has begun reads one of them.
    """
    again = [stage for stage in plan.stages if _goes_on(plan, stage, reached, grown)]
    for stage in again:
        index = plan.stages.index(stage)
        for later in plan.stages[index + 1 :]:
            read = {*later.code.frozen, *later.init_from.values()} & set(stage.code.trained)
            if read and later.name in reached:
                raise UserError(
                    f"stage {stage.name!r} cannot have more epochs: {later.name!r} has learned "
                    f"from what it left of {' and '.join(sorted(read))}. Leave config key stages."
                    f"{stage.name}.epochs at {grown[stage.name]}, or choose another --workdir"
                )
    for stage in again:
        step, epochs = reached[stage.name]["step"], grown[stage.name]
        ends = result.setdefault("earlier_ends", {}).setdefault(stage.name, [])
        ends.append(
            {"planned_epochs": epochs, "last_step": step, **result["stages"].pop(stage.name, {})}
        )
        progress.console.print(
            f"{stage.name}: goes on from step {step} with {stage.epochs} epochs in place of "
            f"{epochs}; schedules are those of {stage.epochs} epochs from here on, so this is a "
            "run of as many from the start only where they are constant",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    result["finished"] = False


def _goes_on(
    plan: Plan, stage: Stage, reached: Mapping[str, Any], grown: Mapping[str, int]
) -> bool:
    """Whether more epochs change a stage: it has begun, and patience has not ended it."""
    if stage.name not in grown or stage.name not in reached:
        return False
    progress = reached[stage.name]
    epoch = progress["batches"] // (len(plan.data.splits["train"].id) // stage.batch_size)
    return not selection.is_over(progress["selected"], epoch, patience=stage.patience)


def _chosen(stage: Stage, outcome: Outcome) -> dict[str, NetState]:
    """The networks that teach later stages and head the result."""
    use_best = stage.select == "best" and outcome.selection.networks
    return outcome.selection.networks if use_best else outcome.networks


def _record(
    result: Result,
    session: Session,
    stage: Stage,
    outcome: Outcome,
    chosen: dict[str, NetState],
    evaluate: scores.Evaluate,
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


def _splits(figures: dict[str, dict[str, scores.Score]], name: str) -> dict[str, Any]:
    return {split: figures.get(split, {}).get(name) for split in ("validation", "test")}


def _empty(config: ConfigDict, plan: Plan) -> Result:
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
