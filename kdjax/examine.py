"""Every figure of a run's networks on one split: quality, likeness to the teacher, cost."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax import build, cost, discover, ensembles, evaluation, parallel, restore, runtime, workdir
from kdjax.build import Plan
from kdjax.data.types import Split
from kdjax.errors import UserError
from kdjax.evaluation import Predictions
from kdjax.figures import attributes, classes, pairs
from kdjax.parallel import Parallel
from kdjax.progress import Bar
from kdjax.restore import Found
from kdjax.types import NetState, Network, Outputs

FEATURES = 10_000
"""Features are compared on so many examples at most, predictions on all."""


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


class Examined(NamedTuple):
    """A run's figures, and what they were computed from."""

    record: dict[str, Any]
    """As `evaluation.json` holds it."""
    plan: Plan
    found: dict[str, Found]
    """By row, with the teacher."""
    outputs: dict[str, Predictions]
    """By row, on the whole split in its order."""
    split: Split


def run(directory: Path, choice: Choice) -> Examined:
    """Restores a run's networks and examines them.

    Args:
        directory: the workdir.
        choice: what to examine.

    Returns:
        With the record `{"workdir", "method", "dataset", "seed", "split", "examples",
        "class_names", "multi_label", "device", "teacher", "layer", "networks": {row: ..},
        "agreement": {"networks", "matrix"}}`. A row is a network's name, `<name> after <stage>`
        for what an earlier stage left of it, or `<name>+<name>` for an ensemble; it has `network`,
        `stage`, `step`, `workdir` (of another run), the figures of `kdjax.figures`, `teacher`
        (those of `kdjax.figures.pairs`) and `cost` (those of `kdjax.cost`).

    Raises:
        UserError: no such workdir, checkpoint, stage, split, network or layer; or data or networks
            are not those of the run.
    """
    config = workdir.load_config(directory)
    if choice.data_dir is not None:
        config.data.data_dir = choice.data_dir
    if choice.path is not None:
        config.data.path = choice.path
    plan = build.plan(config, devices=1)
    workdir.check_split(directory, plan.data)
    if choice.split not in plan.data.splits:
        raise discover.unknown("split", choice.split, plan.data.splits)
    split = plan.data.splits[choice.split]
    layout = parallel.make(plan.parallel, streaming=plan.streaming)

    found, rows, teacher, missing = _choose(directory, plan, layout, choice)
    layer = choice.layer or "pooled"
    if choice.layer:
        _check_layer(found, plan, layer)
    outputs = _predict(found, plan, layout, split, layer)
    shown = {row: found[row] for row in rows}
    costs = _costs(found, shown, teacher, plan, choice)
    multi_label = bool(plan.data.attributes)
    record = {
        "workdir": str(directory),
        "method": config.method,
        "dataset": config.data.name,
        "seed": config.seed,
        "alpha": config.alpha,
        "temperature": config.temperature,
        "split": choice.split,
        "examples": len(split.id),
        "class_names": list(plan.data.class_names),
        "multi_label": multi_label,
        "device": runtime.devices(),
        "teacher": teacher or None,
        "missing": missing,
        "layer": layer,
        "feature_examples": min(len(split.id), FEATURES),
        "networks": {
            row: {
                "network": one.name,
                "stage": one.stage,
                "step": one.step,
                "workdir": one.workdir,
                **_quality(outputs[row].logits, split.label, plan),
                "teacher": _against(outputs, row, teacher, layer, multi_label),
                "cost": costs[row],
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
    return Examined(record, plan, found, outputs, split)


class _Chosen(NamedTuple):
    """What is predicted with."""

    found: dict[str, Found]
    """By row, with the teacher."""
    shown: list[str]
    """The rows of the result."""
    teacher: str
    """Its row, or nothing."""
    missing: dict[str, str]
    """What other runs do not give, and why."""


def _choose(directory: Path, plan: Plan, layout: Parallel, choice: Choice) -> _Chosen:
    own = restore.rows(directory, plan, layout, step=choice.step, stage=choice.stage)
    compared = _compared(directory, plan, layout, own, choice.teacher or "teacher")
    known = {*own, *compared, *plan.restored}
    named = {*choice.networks, *choice.ensemble, choice.teacher} - {""}
    stages = [choice.stage] if choice.stage else [stage.name for stage in plan.stages]
    # A checkpoint of one step is not expected of every stage.
    missing = restore.gone(directory, stages) if choice.step is None else {}
    for name in sorted(named - known):
        if name in missing:
            raise UserError(missing[name])
        raise discover.unknown("network", name, known)
    teacher = choice.teacher or ("teacher" if "teacher" in known else "")
    wanted = named | {teacher} if choice.networks else known
    others: dict[str, Found] = {}
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
    return _Chosen(found, shown, "" if teacher in missing else teacher, missing)


def _compared(
    directory: Path, plan: Plan, layout: Parallel, own: dict[str, Found], teacher: str
) -> dict[str, Found]:
    """This run's teacher, where a stage or a step was chosen that has none."""
    trained = any(teacher in stage.program.trained for stage in plan.stages)
    if teacher in own or not trained:
        return {}
    every = restore.rows(directory, plan, layout, step=None, stage=None)
    return {teacher: every[teacher]} if teacher in every else {}


def _of_another_run(plan: Plan, layout: Parallel, name: str) -> Found:
    other = restore.other(plan, layout, name, plan.restored[name])
    origin, network = other.origin, plan.restored[name].network
    return Found(name, origin["stage"], origin["step"], network, other.state, origin["workdir"])


def _ensemble(members: dict[str, Found], plan: Plan) -> Found:
    networks = {row: member.network for row, member in members.items()}
    return Found(
        "+".join(members),
        "",
        max(member.step for member in members.values()),
        ensembles.network(networks, plan.stages[0].program.task),
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


def _predict(
    found: dict[str, Found], plan: Plan, layout: Parallel, split: Split, layer: str
) -> dict[str, Predictions]:
    """Every batch is read once; rows of one network, as members of a sweep, share its program."""
    base, name = plan.stages[0].program, "network"
    steps = {
        network: layout.predict_step(base._replace(networks={name: network}, swept=None), layer)
        for network in {one.network for one in found.values()}
    }

    def step(states: dict[str, NetState], *batch: Any) -> dict[str, Outputs]:
        return {
            row: steps[found[row].network]({name: state}, *batch)[name]
            for row, state in states.items()
        }

    states = {row: one.state for row, one in found.items()}
    size, feed = plan.eval_batch_size, layout.feed(split)
    with Bar("predicting", math.ceil(len(split.id) / size)) as bar:
        return evaluation.predictions(
            step, layout, size, states, feed, features=FEATURES, each=bar.to
        )


def _quality(logits: np.ndarray, label: np.ndarray, plan: Plan) -> dict[str, Any]:
    task = attributes if plan.data.attributes else classes
    return task.figures(logits, label, plan.data.class_names)


def _against(
    outputs: dict[str, Predictions], row: str, teacher: str, layer: str, multi_label: bool
) -> dict[str, Any] | None:
    if not teacher or row == teacher:
        return None
    mine, theirs = outputs[row], outputs[teacher]
    found = pairs.predictions(mine.logits, theirs.logits, attributes=multi_label)
    both = layer in mine.features and layer in theirs.features
    nothing: dict[str, float | None] = {"cosine": None, "cka": None}
    return found | (
        pairs.features(mine.features[layer], theirs.features[layer]) if both else nothing
    )


def _costs(
    found: dict[str, Found], shown: dict[str, Found], teacher: str, plan: Plan, choice: Choice
) -> dict[str, dict[str, Any]]:
    """By row; what stages and members left of one network costs the same."""
    first: dict[Network, str] = {}
    for row, one in shown.items():
        first.setdefault(one.network, row)
    one_each = {row: (network, shown[row].state) for network, row in first.items()}
    shape = plan.data.image_shape
    whole = cost.size(found[teacher].state)["megabytes"] if teacher else None
    costs: dict[str, dict[str, Any]] = {}
    for row, (network, state) in one_each.items():
        size = cost.size(state)
        share = size["megabytes"] / whole if whole else None
        arithmetic = cost.flops(network, state, shape)
        costs[row] = {**size, "of_teacher": share, "flops": arithmetic, **cost.UNTIMED}
    if choice.timing:
        with Bar("timing", cost.turns(one_each)) as bar:
            timed = cost.timing(one_each, shape, choice.throughput_batch, each=bar.to)
        costs = {row: costs[row] | timed[row] for row in costs}
    return {row: costs[first[one.network]] for row, one in shown.items()}
