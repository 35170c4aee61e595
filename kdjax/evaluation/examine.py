"""Every figure of a run's networks on one split: quality, likeness to the teacher, cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax.config import build, build_data
from kdjax.config.plan import Plan
from kdjax.data.types import Split
from kdjax.evaluation import answers, cost, kept
from kdjax.evaluation.kept import Kept
from kdjax.evaluation.measures import attributes, classes, pairs
from kdjax.models.networks import ensembles
from kdjax.runs import restore, standing, workdir
from kdjax.runs.restore import Found
from kdjax.system import discover, runtime
from kdjax.system.errors import UserError
from kdjax.training import layouts
from kdjax.training.layouts import Layout
from kdjax.training.scores import Predictions


class Choice(NamedTuple):
    """What is examined."""

    split: str = "test"
    step: int | None = None
    """Of a checkpoint; None for what the run chose."""
    networks: tuple[str, ...] = ()
    """Rows of the result; none for all."""
    stage: str | None = None
    """None for all of them."""
    ensemble: tuple[str, ...] = ()
    """Networks whose mean prediction is examined beside them."""
    teacher: str = ""
    """The network that the others are compared with; by default the one of that name."""
    layer: str = ""
    """The activation that is compared with the teacher's; by default `pooled`, where there is one,
    which is what the last dense layer reads."""
    timing: bool = True
    throughput_batch: int = 256
    data_dir: str | None = None
    """Where prepared data is, if not where the run found it."""
    path: str | None = None
    """Where the user's own images are, if not where the run found them."""
    on: str | None = None
    """Another labelled set, all of which is examined in place of a split."""


class Examined(NamedTuple):
    """A run's figures, and what they were computed from."""

    record: dict[str, Any]
    """As `evaluation.json` holds it."""
    plan: Plan
    found: dict[str, Found]
    """By row, with the teacher."""
    outputs: dict[str, Predictions]
    """By row, on the whole split in its order."""
    digests: dict[str, str]
    """Of the outputs, by row."""
    split: Split


def run(directory: Path, choice: Choice, before: Kept = kept.NOTHING) -> Examined:
    """Restores a run's networks and examines them.

    Args:
        directory: the workdir.
        choice: what to examine.
        before: what an earlier evaluation computed is not computed again.

    Returns:
        With the record `{"workdir", "method", "dataset", "seed", "split", "on", "examples",
        "class_names", "multi_label", "device", "unfinished", "missing", "teacher", "layer",
        "networks": {row: ..}, "agreement": {"networks", "matrix"}}`. A row is a network's name,
        `<name> after <stage>` for what an earlier stage left of it, or `<name>+<name>` for an
        ensemble; it has `network`, `stage`, `step`, `workdir` (of another run), the figures of
        `measures`, `teacher` (those of `measures.pairs`), `cost` (those of `cost`) and `digests`
        (of `kept`). Of another set, `split` is its name and `on` its path.

    Raises:
        UserError: no such workdir, checkpoint, stage, split, network or layer; data or networks are
            not those of the run; or another set has other classes.
    """
    config = workdir.load_config(directory)
    if choice.data_dir is not None:
        config.data.data_dir = choice.data_dir
    if choice.path is not None:
        config.data.path = choice.path
    plan = build.plan(config, devices=1)
    workdir.check_split(directory, plan.data)
    if choice.on is not None:
        other = build_data.other_set(config.data, choice.on, plan.data)
        there = plan._replace(data=other, streaming=build_data.streaming(config, other))
        name, split = other.source, other.splits["all"]
    elif choice.split in plan.data.splits:
        there, name, split = plan, choice.split, plan.data.splits[choice.split]
    else:
        raise discover.unknown("split", choice.split, plan.data.splits)
    layout = layouts.make(plan.parallel, streaming=there.streaming)

    found, rows, teacher, missing, unfinished = _choose(directory, plan, layout, choice)
    layer = choice.layer or "pooled"
    if choice.layer:
        _check_layer(found, plan, layer)
    digests = kept.digests(found, there, split)
    multi_label = bool(plan.data.attributes)
    shown = {row: found[row] for row in rows}
    outputs, likeness = answers.find(
        found, shown, teacher, plan=there, split=split, layer=layer, digests=digests, before=before
    )
    costs = cost.table(
        {row: (one.network, one.state) for row, one in shown.items()},
        plan.data.image_shape,
        teacher=found[teacher].state if teacher else None,
        batch=choice.throughput_batch if choice.timing else 0,
        known=kept.times(before, digests, choice.throughput_batch),
    )
    record = {
        "workdir": str(directory),
        "method": config.method,
        "dataset": config.data.name,
        "seed": config.seed,
        "alpha": config.alpha,
        "temperature": config.temperature,
        "split": name,
        "on": choice.on,
        "examples": len(split.id),
        "class_names": list(plan.data.class_names),
        "multi_label": multi_label,
        "device": runtime.devices(),
        "teacher": teacher or None,
        "teacher_predictions": digests[teacher].predictions if teacher else None,
        "unfinished": unfinished,
        "missing": missing,
        "layer": layer,
        "feature_examples": min(len(split.id), answers.FEATURES),
        "networks": {
            row: {
                "network": one.name,
                "stage": one.stage,
                "step": one.step,
                "workdir": one.workdir,
                **_quality(outputs[row].logits, split.label, plan),
                "teacher": likeness.get(row),
                "cost": costs[row],
                "digests": digests[row]._asdict(),
            }
            for row, one in shown.items()
        },
        "agreement": {
            "networks": list(shown),
            "matrix": pairs.matrix([outputs[row].logits for row in shown], attributes=multi_label),
        },
    }
    if multi_label:
        prevalence = plan.data.splits["train"].label.mean(axis=0)
        shares = split.label.mean(axis=0)
        record["attribute_shares"] = dict(
            zip(plan.data.class_names, map(float, shares), strict=True)
        )
        record["precision_at"] = attributes.references(split.label, prevalence)
    names = {row: one.predictions for row, one in digests.items()}
    return Examined(record, plan, found, outputs, names, split)


def logits(examined: Sequence[Examined]) -> dict[str, np.ndarray]:
    """Those of all networks, by their digests."""
    return {one.digests[row]: out.logits for one in examined for row, out in one.outputs.items()}


class _Chosen(NamedTuple):
    """What is predicted with."""

    found: dict[str, Found]
    """By row, with the teacher."""
    shown: list[str]
    """The rows of the result."""
    teacher: str
    """Its row, or nothing."""
    missing: dict[str, str]
    """What is not there of this run or of other runs, and why."""
    unfinished: str
    """How far the run is, where it has not finished."""


def _choose(directory: Path, plan: Plan, layout: Layout, choice: Choice) -> _Chosen:
    own = restore.rows(directory, plan, layout, step=choice.step, stage=choice.stage)
    compared = _compared(directory, plan, layout, own, choice.teacher or "teacher")
    known = {*own, *compared, *plan.restored}
    named = {*choice.networks, *choice.ensemble, choice.teacher} - {""}
    stand = standing.of(directory, plan)
    # Another step or stage was asked for: what they lack is not missing.
    gone = {} if choice.stage or choice.step is not None else stand.missing
    for name in sorted(named - known):
        if name in gone:
            raise UserError(f"{directory}: {name!r}: {gone[name]}")
        raise discover.unknown("network", name, known)
    teacher = choice.teacher or ("teacher" if "teacher" in known else "")
    wanted = named | {teacher} if choice.networks else known
    others: dict[str, Found] = {}
    missing = {name: reason for name, reason in gone.items() if not choice.networks}
    for name in sorted(wanted & set(plan.restored)):
        try:
            others[name] = _of_another_run(plan, layout, name)
        except UserError as error:
            # This run's own networks can be examined without it.
            if name in named:
                raise
            missing[name] = str(error)
    every = {**others, **compared, **own}
    found = {row: one for row, one in every.items() if row in wanted}
    shown = [row for row in found if row in (choice.networks or {*others, *own})]
    if choice.ensemble:
        together = _ensemble({row: every[row] for row in choice.ensemble}, plan)
        found[together.name] = together
        shown.append(together.name)
    return _Chosen(found, shown, "" if teacher in missing else teacher, missing, stand.unfinished)


def _compared(
    directory: Path, plan: Plan, layout: Layout, own: dict[str, Found], teacher: str
) -> dict[str, Found]:
    """This run's teacher, where a stage or a step was chosen that has none."""
    trained = any(teacher in stage.code.trained for stage in plan.stages)
    if teacher in own or not trained:
        return {}
    every = restore.rows(directory, plan, layout, step=None, stage=None)
    return {teacher: every[teacher]} if teacher in every else {}


def _of_another_run(plan: Plan, layout: Layout, name: str) -> Found:
    other = restore.other(plan, layout, name, plan.restored[name])
    origin, network = other.origin, plan.restored[name].network
    return Found(name, origin["stage"], origin["step"], network, other.state, origin["workdir"])


def _ensemble(members: dict[str, Found], plan: Plan) -> Found:
    networks = {row: member.network for row, member in members.items()}
    return Found(
        "+".join(members),
        "",
        max(member.step for member in members.values()),
        ensembles.network(networks, plan.stages[0].code.task),
        ensembles.state({row: member.state for row, member in members.items()}),
    )


def _check_layer(found: dict[str, Found], plan: Plan, layer: str) -> None:
    image = jax.ShapeDtypeStruct((1, *plan.data.image_shape), np.float32)
    layers: set[str] = set()
    for one in found.values():
        apply = one.network.apply
        traced = jax.eval_shape(lambda s, x, f=apply: f(s, x, train=False)[0], one.state, image)
        layers |= set(traced.features)
    if layer not in layers:
        raise discover.unknown("layer", layer, layers)


def _quality(logits: np.ndarray, label: np.ndarray, plan: Plan) -> dict[str, Any]:
    task = attributes if plan.data.attributes else classes
    return task.figures(logits, label, plan.data.class_names)
