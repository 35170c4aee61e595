"""Evaluates the networks of one workdir or several, restored from their checkpoints.

    python -m kdjax.evaluate --workdir=DIR [--split=validation] [--step=N] [--networks=student]
    python -m kdjax.evaluate --workdir=DIR --ensemble=generation_1,generation_2
    python -m kdjax.evaluate --workdir=A --workdir=B --output=comparison
    python -m kdjax.evaluate --workdir=DIR --on=PATH            # all images of another labelled set
    python -m kdjax.evaluate --workdir=DIR --probe=PATH         # a linear classifier on features

Without a step these are the networks that head the run's result: those that validation selected.
Where several stages train a network the last stage counts, and `<network> after <stage>` is the
network after an earlier stage. With `--probe` the labelled set may have other classes: a linear
classifier of them is trained on every network's features, and `probe.json` is written. Otherwise
this prints tables and writes `evaluation.json`, `evaluation.csv` (a line for each network),
`evaluation-classes.csv` (a line for each network and class or attribute) and `predictions.npz`,
which `kdjax.report` reads.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from kdjax.system import cli
from kdjax.system.errors import UserError

if TYPE_CHECKING:
    from kdjax.evaluation.run_evaluation import Options


def define() -> None:
    """The command's flags."""
    cli.define_path("output", None, "Folder of the files. Default: the first workdir.")
    cli.define_path("probe", None, "A labelled set, whose classes a linear classifier learns.")
    define_options()


def define_options() -> None:
    """The flags that say which runs are evaluated, and how."""
    cli.define_path("workdir", None, "Folder of a run; give it again to compare.", several=True)
    flags.DEFINE_integer("step", None, "A checkpoint's step. Default: the selected networks.")
    flags.DEFINE_string("split", "test", "train, validation or test.")
    flags.DEFINE_list("networks", [], "Names of networks. Default: all.")
    flags.DEFINE_string("stage", None, "A stage. Default: all of them.")
    flags.DEFINE_list("ensemble", [], "Networks whose mean prediction is evaluated too.")
    flags.DEFINE_string(
        "teacher", "", "The network that others are compared with. Default: 'teacher'."
    )
    flags.DEFINE_string(
        "layer",
        "",
        "The activation that is compared. Default: 'pooled', which the last dense layer reads.",
    )
    flags.DEFINE_bool("timing", True, "Measure latency and throughput.")
    flags.DEFINE_integer("throughput_batch", 256, "Images in a batch for throughput.", 1)
    cli.define_path("data_dir", None, "Where data is, if not where the run found it.")
    cli.define_path("path", None, "Where your own images are, if not where the run found them.")
    cli.define_path("on", None, "Another labelled set, all of which takes the place of a split.")


def main() -> None:
    """Evaluates, writes and prints."""
    directories = workdirs()
    from kdjax.evaluation import run_evaluation, tables
    from kdjax.runs import writers
    from kdjax.system import runtime

    runtime.prepare()
    output = Path(flags.FLAGS.output or directories[0])
    if flags.FLAGS.probe is not None:
        _probe(directories, output)
        return
    chosen = options()
    evaluations = [run_evaluation.evaluate(directory, chosen) for directory in directories]
    records = [evaluation.record for evaluation in evaluations]
    tables.show(records)
    writers.make_folder(output)
    run_evaluation.write_predictions(output, evaluations)
    written = records[0] if len(records) == 1 else {"runs": records}
    writers.write_json(output / "evaluation.json", written)
    writers.write_csv(output / "evaluation.csv", tables.lines(records))
    writers.write_csv(output / "evaluation-classes.csv", tables.class_lines(records))


def _probe(directories: list[Path], output: Path) -> None:
    """Probes every run's networks, prints tables and writes `probe.json`."""
    from kdjax.evaluation import linear_probe
    from kdjax.runs import writers

    layer, names = flags.FLAGS.layer or "pooled", flags.FLAGS.networks
    records = [linear_probe.probe(d, flags.FLAGS.probe, names, layer) for d in directories]
    for record in records:
        linear_probe.show(record)
    writers.make_folder(output)
    writers.write_json(
        output / "probe.json", records[0] if len(records) == 1 else {"runs": records}
    )


def workdirs() -> list[Path]:
    """The folders that `--workdir` names, without repetitions."""
    if not flags.FLAGS.workdir:
        raise UserError("--workdir=DIR is needed")
    return [Path(name) for name in dict.fromkeys(flags.FLAGS.workdir)]


def options() -> "Options":
    """The values of the flags of `define_options`."""
    from kdjax.evaluation.run_evaluation import Options

    if flags.FLAGS.on is not None and flags.FLAGS["split"].present:
        raise UserError("--on evaluates all images of another set; leave --split out")
    values = {name: getattr(flags.FLAGS, name) for name in Options._fields}
    check_ensemble(values["ensemble"])
    return Options(**values)


def check_ensemble(names: list[str]) -> None:
    """Refuses an ensemble that is not of several different networks; none is fine."""
    if names and len(set(names)) < max(2, len(names)):
        raise UserError(f"--ensemble={','.join(names)}: it takes two different networks or more")


if __name__ == "__main__":
    cli.launch(main, define)
