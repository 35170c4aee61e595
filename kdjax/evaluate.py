"""Evaluates the networks of a workdir, restored from its checkpoints.

    python -m kdjax.evaluate --workdir=DIR [--split=validation] [--step=N] [--networks=student]

Without a step: the networks that head the run's result, so those that validation selected.
"""

from pathlib import Path
from typing import Any

from absl import flags

from kdjax import cli, discover
from kdjax.errors import UserError


def define() -> None:
    """The command's flags."""
    flags.DEFINE_string("workdir", None, "Folder of the run.")
    flags.DEFINE_integer("step", None, "A checkpoint's step. Default: the selected networks.")
    flags.DEFINE_string("split", "test", "train, validation or test.")
    flags.DEFINE_list("networks", None, "Names of networks. Default: all.")
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
    data_dir: str | None = None,
    path: str | None = None,
) -> dict[str, Any]:
    """Figures of a workdir's networks on one split.

    Args:
        directory: the workdir.
        split: "train", "validation" or "test".
        step: of a checkpoint; None for what the run chose.
        names: networks; None for all.
        data_dir: where prepared data is, if not where the run found it.
        path: where the user's own images are, if not where the run found them.

    Returns:
        `{"split": .., "examples": .., "attributes": {name: share that has it}, "networks": {name:
        {"stage", "step", "parameters", "accuracy", "loss", "attribute/<name>"}}}`.

    Raises:
        UserError: no such workdir, checkpoint, split or network, or the data has changed.
    """
    from kdjax import build, evaluation, parallel, restore, workdir
    from kdjax.models import linen

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
    rows: dict[str, Any] = {}
    for stage in plan.stages:
        restored = restore.stage_networks(directory, stage, layout, step)
        if restored is None:
            continue
        networks, at = restored
        evaluate = evaluation.make(
            layout.eval_step(stage.program), layout, plan.eval_batch_size, plan.data.attributes
        )
        for name, score in evaluate(networks, feed).items():
            parameters = linen.count(networks[name].params)
            rows[name] = {"stage": stage.name, "step": at[name], "parameters": parameters, **score}
    if not rows:
        raise _nothing(directory, [stage.name for stage in plan.stages], step)
    for name in names or []:
        if name not in rows:
            raise discover.unknown("network", name, rows)
    rows = {name: row for name, row in rows.items() if not names or name in names}
    labels = plan.data.splits[split].label
    attributes = plan.data.attributes
    shares = [float(share) for share in labels.mean(axis=0)] if attributes else []
    return {
        "split": split,
        "examples": len(labels),
        "attributes": dict(zip(attributes, shares, strict=True)),
        "networks": rows,
    }


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
