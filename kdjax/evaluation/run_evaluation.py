"""Evaluates a run's networks on one split: measures, similarity to the teacher, cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kdjax.config import build, build_data
from kdjax.config.plan import Plan
from kdjax.data.types import Split
from kdjax.evaluation import cost, measures, predictions
from kdjax.evaluation.measures import agreement, precision_at
from kdjax.evaluation.predictions import Kept
from kdjax.models.networks import ensembles, linen
from kdjax.runs import importing, restore, status, workdir, writers
from kdjax.runs.restore import Replicate, RestoredNetwork
from kdjax.system import discover, runtime
from kdjax.system.errors import UserError
from kdjax.training import layouts
from kdjax.training.scores import Predictions


class Options(NamedTuple):
    """The choices of an evaluation: the flags of `kdjax.evaluate`, which explain each."""

    split: str = "test"
    step: int | None = None
    networks: Sequence[str] = ()
    """Names in the record; none for all."""
    stage: str | None = None
    ensemble: Sequence[str] = ()
    teacher: str = ""
    layer: str = ""
    timing: bool = True
    throughput_batch: int = 256
    data_dir: str | None = None
    path: str | None = None
    on: str | None = None


class Evaluation(NamedTuple):
    """A run's record, and what it was computed from."""

    record: dict[str, Any]
    """The record that `evaluation.json` holds."""
    plan: Plan
    networks: dict[str, RestoredNetwork]
    """The networks by their names in the record, with the teacher."""
    predictions: dict[str, Predictions]
    """Each network's, on the whole split in its order."""
    digests: dict[str, str]
    """The networks', of `predictions.digests`."""
    split: Split

    def decisions(self, names: Sequence[str]) -> np.ndarray:
        """Predicted classes `[networks, n]`, or attributes `[networks, n, k]`."""
        multi_label = bool(self.plan.data.attributes)
        logits = (self.predictions[name].logits for name in names)
        return np.stack([measures.prediction(x, multi_label=multi_label).decisions for x in logits])


def evaluate(directory: Path, options: Options, kept: Kept = predictions.NOTHING) -> Evaluation:
    """Restores a run's networks and evaluates them.

    Args:
        directory: the workdir.
        options: what to evaluate.
        kept: results of earlier evaluations, which are not computed again.

    Returns:
        With the record `{"workdir", "method", "dataset", "seed", "split", "on", "examples",
        "class_names", "multi_label", "device", "unfinished", "missing", "teacher", "layer",
        "networks": {name: ..}, "agreement": {"networks", "matrix"}}`. The name is a network's,
        `<name> after <stage>` for what an earlier stage left of it, or `<name>+<name>` for an
        ensemble. Each has `network`, `stage`, `step`, `workdir` (of another run), the measures
        against the labels, `teacher` (the measures against the teacher), `cost` (of `cost.costs`)
        and `digest`. Of another set, `split` is its name and `on` its path.

    Raises:
        UserError: no such workdir, checkpoint, stage, split, network or layer; data or networks are
            not those of the run; or another set has other classes.
    """
    config = workdir.load_config(directory)
    if options.data_dir is not None:
        config.data.data_dir = options.data_dir
    if options.path is not None:
        config.data.path = options.path
    if config.method == workdir.IMPORT:
        plan = importing.plan(directory, config, options.on)
    else:
        plan = build.plan(config, devices=1)
        workdir.check_split(directory, plan.data)
    if options.on is not None:
        other = build_data.other_set(config.data, options.on, plan.data)
        there = plan._replace(data=other, streaming=build_data.streaming(config, other))
        name, split = other.source, other.splits["all"]
    elif options.split in plan.data.splits:
        there, name, split = plan, options.split, plan.data.splits[options.split]
    else:
        raise discover.unknown("split", options.split, plan.data.splits)
    replicate = layouts.Layout(plan.parallel).replicate
    own = restore.run_networks(directory, plan, replicate, at=options.step, stage=options.stage)
    unfinished, gone = status.read(directory, plan)
    networks, shown, teacher, missing = _choose(directory, plan, options, replicate, own, gone)
    layer = options.layer or "pooled"
    if options.layer:
        _check_layer(networks, layer)
    digests = predictions.digests(networks, there, split)
    outputs, similarity = predictions.predict(
        networks,
        [row for row in shown if teacher and row != teacher],
        teacher,
        plan=there,
        split=split,
        layer=layer,
        digests=digests,
        kept=kept,
    )
    times_at = runtime.devices(), options.throughput_batch
    costs = cost.costs(
        {row: (networks[row].network, networks[row].state) for row in shown},
        teacher=networks[teacher].state if teacher else None,
        batch_size=options.throughput_batch if options.timing else 0,
        known={row: kept.times.get((digests[row], *times_at)) for row in shown},
    )
    multi_label, names = bool(plan.data.attributes), tuple(plan.data.class_names)
    predicted = {
        row: measures.prediction(outputs[row].logits, multi_label=multi_label) for row in shown
    }
    record = {
        "workdir": str(directory),
        "method": config.method,
        "dataset": config.data.name,
        "seed": config.seed,
        "alpha": config.alpha,
        "temperature": config.temperature,
        "split": name,
        "on": options.on,
        "examples": len(split.id),
        "class_names": list(names),
        "multi_label": multi_label,
        "device": runtime.devices(),
        "teacher": teacher or None,
        "teacher_digest": digests[teacher] if teacher else None,
        "unfinished": unfinished,
        "missing": missing,
        "layer": layer,
        "feature_examples": min(len(split.id), predictions.FEATURES),
        "networks": {
            row: {
                "network": networks[row].name,
                "stage": networks[row].stage,
                "step": networks[row].step,
                "workdir": networks[row].origin.get("workdir", ""),
                **measures.against_labels(predicted[row], split.label, names),
                "teacher": similarity.get(row),
                "cost": costs[row],
                "digest": digests[row],
            }
            for row in shown
        },
        "agreement": {"networks": shown, "matrix": agreement.matrix([*predicted.values()])},
    }
    if multi_label:
        shares = map(float, split.label.mean(axis=0))
        record["attribute_shares"] = dict(zip(names, shares, strict=True))
        prevalence = plan.data.splits["train"].label.mean(axis=0)
        record["precision_at"] = precision_at.references(split.label, prevalence)
    return Evaluation(record, plan, networks, outputs, digests, split)


def write_predictions(folder: Path, evaluations: Sequence[Evaluation]) -> None:
    """Writes the logits of all networks, in place of an earlier file."""
    logits = {
        evaluation.digests[name]: outputs.logits
        for evaluation in evaluations
        for name, outputs in evaluation.predictions.items()
    }
    writers.write_arrays(folder / predictions.FILE, logits)


def _choose(
    directory: Path,
    plan: Plan,
    options: Options,
    replicate: Replicate,
    own: dict[str, RestoredNetwork],
    gone: dict[str, str],
) -> tuple[dict[str, RestoredNetwork], list[str], str, dict[str, str]]:
    """The networks to evaluate, from the run's `own` networks and those that it reads.

    Returns:
        Networks by name in the record, with the teacher; names of the networks that the record
        has; the teacher's name, or nothing; and which networks are missing, and why.
    """
    teacher = options.teacher or "teacher"
    own_teacher = {}
    if teacher not in own and any(teacher in stage.code.trained for stage in plan.stages):
        # The chosen stage or step has no teacher.
        every = restore.run_networks(directory, plan, replicate, at=None, stage=None)
        own_teacher = {teacher: every[teacher]} if teacher in every else {}
    known = {*own, *own_teacher, *plan.restored}
    named = {*options.networks, *options.ensemble, options.teacher} - {""}
    # Another step or stage was asked for: what they lack is not missing.
    gone = {} if options.stage or options.step is not None else gone
    for name in sorted(named - known):
        if name in gone:
            raise UserError(f"{directory}: {name!r}: {gone[name]}")
        raise discover.unknown("network", name, known)
    needed = named | ({teacher} & known) if options.networks else known
    others: dict[str, RestoredNetwork] = {}
    missing = {} if options.networks else dict(gone)
    for name in sorted(needed & set(plan.restored)):
        try:
            others[name] = restore.other_runs_network(plan, replicate, name)
        except UserError as error:
            # This run's own networks can be evaluated without it.
            if name in named:
                raise
            missing[name] = str(error)
    available = {**others, **own_teacher, **own}
    classes = len(plan.data.class_names)
    for name, restored in list(available.items()):
        if name in needed and (count := _logits(restored)) != classes:
            what = f"has {count} classes of its own" if count else "has no last layer"
            missing[name] = f"{what}: --probe=PATH says what its features hold"
            if name in named or not needed - missing.keys():
                raise UserError(f"{directory}: network {name!r} {missing[name]}")
            del available[name]
    networks = {name: network for name, network in available.items() if name in needed}
    listed = options.networks or {*others, *own}
    shown = [name for name in networks if name in listed]
    if options.ensemble:
        ensemble = _ensemble({name: available[name] for name in options.ensemble}, plan)
        networks[ensemble.name] = ensemble
        shown.append(ensemble.name)
    return networks, shown, teacher if teacher in networks else "", missing


def _logits(restored: RestoredNetwork) -> int:
    """The number of a network's logits."""
    return linen.output_shapes(restored.network, restored.state).logits.shape[-1]


def _ensemble(members: dict[str, RestoredNetwork], plan: Plan) -> RestoredNetwork:
    networks = {name: member.network for name, member in members.items()}
    try:
        network = ensembles.network(networks, plan.stages[0].code.task)
    except ValueError as error:
        raise UserError(f"--ensemble={','.join(members)}: {error}") from error
    return RestoredNetwork(
        name="+".join(members),
        stage="",
        step=max(member.step for member in members.values()),
        network=network,
        state=ensembles.state({name: member.state for name, member in members.items()}),
    )


def _check_layer(networks: dict[str, RestoredNetwork], layer: str) -> None:
    layers: set[str] = set()
    for restored in networks.values():
        layers |= {*linen.output_shapes(restored.network, restored.state).features}
    if layer not in layers:
        raise discover.unknown("layer", layer, layers)
