"""Evaluates the networks of a workdir, restored from its checkpoints.

    python -m kdjax.evaluate --workdir=DIR [--split=validation] [--step=N] [--networks=student]
    python -m kdjax.evaluate --workdir=DIR --ensemble=generation_1,generation_2

Without a step: the networks that head the run's result, so those that validation selected. Where
several stages train a network the last one counts, or the one that `--stage` names.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from kdjax import cli, discover
from kdjax.errors import UserError

if TYPE_CHECKING:
    from kdjax.build import Plan
    from kdjax.parallel import Parallel


class _Restored(NamedTuple):
    """A network, where it is from and what runs it."""

    stage: str
    step: int
    program: Any
    state: Any


def define() -> None:
    """The command's flags."""
    flags.DEFINE_string("workdir", None, "Folder of the run.")
    flags.DEFINE_integer("step", None, "A checkpoint's step. Default: the selected networks.")
    flags.DEFINE_string("split", "test", "train, validation or test.")
    flags.DEFINE_list("networks", None, "Names of networks. Default: all.")
    flags.DEFINE_string("stage", None, "A stage. Default: each network's last one.")
    flags.DEFINE_list("ensemble", None, "Networks whose mean prediction is evaluated beside them.")
    flags.DEFINE_string("data_dir", None, "Where data is, if not where the run found it.")
    flags.DEFINE_string("path", None, "Where your own images are, if not where the run found them.")


def main() -> None:
    """Prints the table and writes `evaluation.json` beside `result.json`."""
    if not flags.FLAGS.workdir:
        raise UserError("--workdir=DIR is needed")
    from kdjax import progress, runtime, writers

    runtime.use_compilation_cache()
    directory = Path(flags.FLAGS.workdir)
    figures = run(
        directory,
        split=flags.FLAGS.split,
        step=flags.FLAGS.step,
        names=flags.FLAGS.networks,
        stage=flags.FLAGS.stage,
        ensemble=flags.FLAGS.ensemble,
        data_dir=flags.FLAGS.data_dir,
        path=flags.FLAGS.path,
    )
    writers.write_json(directory / "evaluation.json", figures)
    progress.table(
        f"{directory}, {flags.FLAGS.split} split, {figures['examples']:,} images",
        ["network", "stage", "step", "parameters", "accuracy", "cross-entropy"],
        [
            [
                name,
                row["stage"],
                f"{row['step']:,}",
                f"{row['parameters']:,}",
                f"{row['accuracy']:.2%}",
                f"{row['loss']:.4f}",
            ]
            for name, row in figures["networks"].items()
        ],
    )
    if figures["attributes"]:
        _show_attributes(figures)


def _show_attributes(figures: dict[str, Any]) -> None:
    from kdjax import progress

    networks = figures["networks"]
    progress.table(
        "accuracy on each attribute",
        ["attribute", "have it", "one answer", *networks],
        [
            [
                attribute,
                f"{share:.1%}",
                f"{max(share, 1 - share):.2%}",
                *(f"{row[f'attribute/{attribute}']:.2%}" for row in networks.values()),
            ]
            for attribute, share in figures["attributes"].items()
        ],
        "One answer: always the more frequent one.",
    )


def run(
    directory: Path,
    *,
    split: str = "test",
    step: int | None = None,
    names: list[str] | None = None,
    stage: str | None = None,
    ensemble: list[str] | None = None,
    data_dir: str | None = None,
    path: str | None = None,
) -> dict[str, Any]:
    """Figures of a workdir's networks on one split.

    Args:
        directory: the workdir.
        split: "train", "validation" or "test".
        step: of a checkpoint; None for what the run chose.
        names: networks; None for all.
        stage: None for each network's last one.
        ensemble: networks whose mean prediction is evaluated too, as `<name>+<name>+...`.
        data_dir: where prepared data is, if not where the run found it.
        path: where the user's own images are, if not where the run found them.

    Returns:
        `{"split": .., "examples": .., "attributes": {name: share that has it}, "networks": {name:
        {"stage", "step", "parameters", "accuracy", "loss", "attribute/<name>"}}}`.

    Raises:
        UserError: no such workdir, checkpoint, stage, split or network, or the data has changed.
    """
    from kdjax import build, evaluation, parallel, workdir
    from kdjax.models import linen

    check_ensemble(ensemble or [])
    config = workdir.load_config(directory)
    if data_dir is not None:
        config.data.data_dir = data_dir
    if path is not None:
        config.data.path = path
    plan = build.plan(config, devices=1)
    workdir.check_split(directory, plan.data)
    if split not in plan.data.splits:
        raise discover.unknown("split", split, plan.data.splits)
    layout = parallel.make(plan.parallel, streaming=plan.streaming)
    feed = layout.feed(plan.data.splits[split])
    found = _restore(directory, plan, layout, step, stage)
    for name in [*(names or ()), *(ensemble or ())]:
        if name not in found:
            raise discover.unknown("network", name, found)
    chosen = {name: one for name, one in found.items() if not names or name in names}
    if ensemble:
        together = _ensemble({name: found[name] for name in ensemble})
        chosen["+".join(ensemble)] = together
    # One program, so that images are read once for all of them.
    program = plan.stages[0].program._replace(
        networks={name: one.program.networks[name] for name, one in chosen.items()}
    )
    evaluate = evaluation.make(
        layout.eval_step(program), layout, plan.eval_batch_size, plan.data.attributes
    )
    scores = evaluate({name: one.state for name, one in chosen.items()}, feed)
    rows = {
        name: {
            "stage": one.stage,
            "step": one.step,
            "parameters": linen.count(one.state.params),
            **scores[name],
        }
        for name, one in chosen.items()
    }
    labels = plan.data.splits[split].label
    attributes = plan.data.attributes
    shares = [float(share) for share in labels.mean(axis=0)] if attributes else []
    return {
        "split": split,
        "examples": len(labels),
        "attributes": dict(zip(attributes, shares, strict=True)),
        "networks": rows,
    }


def _restore(
    directory: Path, plan: "Plan", layout: "Parallel", step: int | None, stage: str | None
) -> dict[str, "_Restored"]:
    """Every network that the checkpoints hold, as its last stage left it."""
    from kdjax import restore

    stages = {one.name: one for one in plan.stages}
    if stage is not None and stage not in stages:
        raise discover.unknown("stage", stage, stages)
    wanted = list(stages.values()) if stage is None else [stages[stage]]
    found: dict[str, _Restored] = {}
    for one in wanted:
        restored = restore.stage_networks(directory, one, layout, step)
        if restored is not None:
            networks, steps = restored
            for name, state in networks.items():
                found[name] = _Restored(one.name, steps[name], one.program, state)
    if not found:
        raise _nothing(directory, [one.name for one in wanted], step)
    return found


def check_ensemble(names: list[str]) -> None:
    """That there are several, all different, or none.

    Raises:
        UserError: there are not.
    """
    if names and len(set(names)) < max(2, len(names)):
        raise UserError(f"--ensemble={','.join(names)}: it takes two different networks or more")


def _ensemble(members: dict[str, "_Restored"]) -> "_Restored":
    from kdjax import ensembles

    first = next(iter(members.values()))
    networks = {name: member.program.networks[name] for name, member in members.items()}
    together = ensembles.network(networks, first.program.task)
    return _Restored(
        "",
        max(member.step for member in members.values()),
        first.program._replace(networks={"+".join(members): together}),
        ensembles.state({name: member.state for name, member in members.items()}),
    )


def _nothing(directory: Path, stages: list[str], step: int | None) -> UserError:
    from kdjax.checkpoint import Checkpoints

    found = []
    for stage in stages:
        if (directory / "checkpoints" / stage).is_dir():
            checkpoints = Checkpoints(directory, stage, read_only=True)
            found += [f"{at} ({stage})" for at in checkpoints.steps()]
            checkpoints.close()
    there = ", ".join(found) or "none"
    what = "no checkpoint" if step is None else f"no checkpoint of step {step}"
    return UserError(f"{directory} has {what}; there are: {there}")


if __name__ == "__main__":
    cli.launch(main, define)
