"""A whole run: its stages in order, and the record of its networks."""

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from kdjax.config import build
from kdjax.config.plan import Plan, Stage
from kdjax.models.networks import linen
from kdjax.runs import restore, workdir
from kdjax.runs.checkpoint import Checkpoints
from kdjax.runs.metrics_log import Metrics
from kdjax.runs.writers import write_json
from kdjax.step.types import Frozen, NetState
from kdjax.system import runtime
from kdjax.system.errors import UserError
from kdjax.system.progress import console
from kdjax.training import layouts, scores, selection, teacher_cache
from kdjax.training import teachers as teacher_scores
from kdjax.training.fit import Interrupted, Outcome, Session, fit

Result = dict[str, Any]
"""The content of `result.json`."""
Progress = Mapping[str, Mapping[str, Any]]
"""For every stage that has begun, the `progress` of its newest checkpoint, and its `step`."""


def run(
    config: ConfigDict,
    directory: Path,
    should_stop: Callable[[int], bool] = lambda step: False,
    unread: Collection[str] = (),
) -> Result:
    """Trains every stage of a config, or the stages that are left, and writes `result.json`.

    Args:
        config: as `configs/base.py` lays it out.
        directory: the workdir; an interrupted run continues there, bit for bit.
        should_stop: asked after every call of the training step, which may be several updates,
            with the run's step; True saves and ends.
        unread: keys of the config that the user has set and that nothing reads: they make a new
            run an error, and not one that continues.

    Raises:
        UserError: the user can correct it.
        Interrupted: `should_stop` returned True.
    """
    saved = workdir.load_config(directory) if workdir.begun(directory) else None
    config = restore.with_other_runs(config, saved)
    former_epochs = workdir.require_same(config, directory)
    earlier_result = workdir.load_result(directory)
    if earlier_result and earlier_result["finished"] and not former_epochs:
        return earlier_result
    clock, started = runtime.CompileClock(), time.perf_counter()
    is_new = not workdir.begun(directory)
    if is_new:
        for key in unread:
            raise UserError(f"config.{key} is read by nothing in this config: leave it out")
    plan = build.plan(config, len(jax.local_devices()))
    _check(plan, is_new)
    result = earlier_result or _new_result(config, plan)
    layout = layouts.Layout(plan.parallel, streaming=plan.streaming, workers=plan.workers)
    others = {n: restore.other_runs_network(plan, layout.replicate, n) for n in plan.restored}
    result["restored"] = {name: other.origin for name, other in others.items()}
    workdir.open_for(config, directory)
    workdir.record_split(directory, plan.data)
    workdir.record_restored(directory, result["restored"])
    folders = [Checkpoints(directory, stage.name) for stage in plan.stages]
    progress = _progress(plan, folders, result)
    if former_epochs:
        _extend(result, plan, progress, former_epochs)
        # In this order: a run that dies between the two continues with the former config.
        write_json(directory / "result.json", result)
        workdir.write_config(config, directory)
    session = Session(
        plan=plan,
        layout=layout,
        feeds={name: layout.feed(split) for name, split in plan.data.splits.items()},
        writer=Metrics(
            directory,
            steps={name: stage["step"] for name, stage in progress.items()},
            tensorboard=plan.tensorboard,
        ),
        should_stop=should_stop,
    )
    networks = {name: other.state for name, other in others.items()}
    step = 0
    try:
        for stage, checkpoints in zip(plan.stages, folders, strict=True):
            if stage.name in progress:
                stage = executed_as(stage, progress[stage.name]["execution"])
            teachers = {name: networks[name] for name in stage.code.frozen}
            is_measured = stage.name in result.get("teachers", {})
            if teachers and not (is_measured or stage.name in result["stages"]):
                validation = session.feeds.get("validation")
                result.setdefault("teachers", {})[stage.name] = teacher_scores.measure(
                    plan, layout, validation, stage, teachers, result["networks"]
                )
            frozen: Mapping[str, Frozen] = teachers
            if teachers and plan.teacher_cache and stage.name not in result["stages"]:
                train = session.feeds["train"]
                frozen = teacher_cache.cached_outputs(plan, layout, train, stage, teachers)
            starts = {name: networks[start] for name, start in stage.init_from.items()}
            evaluate = scores.make(layout, stage.code, plan.eval_batch_size, plan.data.attributes)
            # An earlier stage with more epochs than before ends later than this stage began.
            first_step = progress.get(stage.name, {}).get("first_step", step)
            outcome = fit(session, stage, frozen, starts, checkpoints, evaluate, first_step)
            # The networks that teach later stages and head the result.
            use_best = stage.select == "best" and outcome.selection.networks
            chosen = outcome.selection.networks if use_best else outcome.networks
            # A stage is recorded as finished only when its last checkpoint is whole.
            checkpoints.wait()
            if stage.name not in result["stages"]:
                _record(result, session, stage, outcome, chosen, evaluate, first_step)
                write_json(directory / "result.json", result)
            networks |= chosen
            step = max(step, outcome.last_step)
            if stage.name != plan.stages[-1].name and should_stop(step):
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
        # Each is closed, also where closing another one fails.
        with contextlib.ExitStack() as closing:
            closing.callback(session.writer.close)
            for folder in folders:
                closing.callback(folder.close)
    result["finished"] = True
    result["last_start"] = {
        "seconds": round(time.perf_counter() - started, 3),
        "compile_seconds": round(clock.seconds, 3),
    }
    write_json(directory / "result.json", result)
    return result


def _check(plan: Plan, is_new: bool) -> None:
    """Checks what only training asks of a plan; runs of other machines can still be evaluated.

    Raises:
        UserError: there is no teacher to cache, or several steps a call are impossible.
    """
    if plan.teacher_cache and is_new and not any(stage.code.frozen for stage in plan.stages):
        raise UserError("config.teacher_cache is True, but no stage reads a frozen network")
    grouped = any(len(stage.code.swept.groups) > 1 for stage in plan.stages if stage.code.swept)
    obstacles = {
        "input that is streamed (config.data.input)": plan.streaming,
        "members of a sweep that are trained in groups (--mode, --together)": grouped,
    }
    for obstacle, is_there in obstacles.items():
        if plan.steps_per_call > 1 and is_there:
            raise UserError(
                f"config.steps_per_call is {plan.steps_per_call}; it must be 1 with {obstacle}"
            )


def executed_as(stage: Stage, execution: Mapping[str, Any]) -> Stage:
    """The stage with its members executed as `Stage.execution` says.

    Members as one computation round differently from single ones, so a stage that continues is
    executed as when it began, also on a machine with other devices.
    """
    if stage.code.swept is None:
        return stage
    swept = stage.code.swept._replace(**execution)
    return stage._replace(code=stage.code._replace(swept=swept))


def _progress(plan: Plan, folders: Sequence[Checkpoints], result: Result) -> Progress:
    """How far every stage that has begun is.

    Raises:
        UserError: a stage has finished, and its checkpoint is gone.
    """
    progress = {}
    for stage, folder in zip(plan.stages, folders, strict=True):
        if (step := folder.latest()) is not None:
            progress[stage.name] = {**folder.progress(step), "step": step}
        elif stage.name in result["stages"]:
            raise UserError(
                f"stage {stage.name!r} has finished, but {folder.directory} has no checkpoint of "
                "it any more: put it back, or choose another --workdir"
            )
    return progress


def _extend(
    result: Result, plan: Plan, progress: Progress, former_epochs: Mapping[str, int]
) -> None:
    """Reopens the stages that have more epochs than before.

    Args:
        result: gets where they ended before, in `earlier_ends`, and loses their scores.
        plan: of the new config.
        progress: how far every stage that has begun is.
        former_epochs: by stage, the former number of epochs.

    Raises:
        UserError: a later stage that has begun reads one of them.
    """
    reopened = []
    for stage in plan.stages:
        if stage.name in former_epochs and stage.name in progress:
            newest = progress[stage.name]
            epoch = newest["batches"] // (len(plan.data.splits["train"].id) // stage.batch_size)
            # Patience may have ended the stage.
            if not selection.is_over(stage, newest["selected"], epoch):
                reopened.append(stage)
    for stage in reopened:
        index = plan.stages.index(stage)
        for later in plan.stages[index + 1 :]:
            read = {*later.code.frozen, *later.init_from.values()} & set(stage.code.trained)
            if read and later.name in progress:
                raise UserError(
                    f"stage {stage.name!r} cannot have more epochs: {later.name!r} has learned "
                    f"from what it left of {' and '.join(sorted(read))}. Leave config key stages."
                    f"{stage.name}.epochs at {former_epochs[stage.name]}, or choose another "
                    "--workdir"
                )
    for stage in reopened:
        step, epochs = progress[stage.name]["step"], former_epochs[stage.name]
        ends = result.setdefault("earlier_ends", {}).setdefault(stage.name, [])
        ends.append(
            {"planned_epochs": epochs, "last_step": step, **result["stages"].pop(stage.name, {})}
        )
        console.print(
            f"{stage.name}: goes on from step {step} with {stage.epochs} epochs in place of "
            f"{epochs}; schedules are those of {stage.epochs} epochs from here on, so this is a "
            "run of as many from the start only where they are constant",
            soft_wrap=True,
        )
    result["finished"] = False


def _record(
    result: Result,
    session: Session,
    stage: Stage,
    outcome: Outcome,
    chosen: dict[str, NetState],
    evaluate: scores.Evaluate,
    first_step: int,
) -> None:
    """Adds a stage's scores: the only place that looks at the test split, once a stage."""
    feeds = {split: session.feeds.get(split) for split in ("validation", "test")}

    def by_split(networks: dict[str, NetState]) -> dict[str, dict[str, scores.Score]]:
        return {split: evaluate(networks, feed) if feed else {} for split, feed in feeds.items()}

    last = by_split(outcome.networks)
    best = last if chosen is outcome.networks else by_split(chosen)
    networks = {}
    for name, state in chosen.items():
        record = outcome.selection.records.get(name) if stage.select == "best" else None
        of_last, of_best = ({s: scores[s].get(name) for s in feeds} for scores in (last, best))
        networks[name] = {
            "stage": stage.name,
            "parameters": linen.count(state.params),
            "parameters_with_statistics": linen.count(state),
            "step": record["step"] if record else outcome.last_step,
            "selected_by": "validation" if record else "last step",
            **of_best,
            "last": {"step": outcome.last_step, **of_last},
        }
    # A network that several stages train is headed by the last; each keeps its own scores.
    result["networks"] |= networks
    result["stages"][stage.name] = {
        "first_step": first_step,
        "last_step": outcome.last_step,
        "epochs": outcome.epochs,
        "seconds": round(outcome.seconds, 3),
        "networks": networks,
    }


def _new_result(config: ConfigDict, plan: Plan) -> Result:
    return {
        "finished": False,
        "method": config.method,
        "seed": config.seed,
        "data": {
            "name": config.data.name,
            "source": plan.data.source,
            "content": plan.data.content,
            **{key: config.data[key] for key in ("seed", "fraction", "refit", "size")},
            "input": "streaming" if plan.streaming else "resident",
            "examples": {name: len(split.id) for name, split in plan.data.splits.items()},
        },
        "networks": {},
        "stages": {},
        **runtime.environment(),
    }
