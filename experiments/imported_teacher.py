"""From published weights to a small file: import, fine-tune, distil, export as int8.

    python -m experiments.imported_teacher --weights=efficientnet-lite0.pth \\
        --path=UCMerced_LandUse.zip --name=imported-teacher-uc-merced --results=DIR

EfficientNet-lite0 with ImageNet's weights learns UC Merced's classes at 128 pixels: its new head,
then all of it. It teaches a slim ResNet-10 of 0.7 million parameters that reads the same views at
96 pixels, beside the same student alone (alpha 0), in one sweep over seeds. Every student becomes
an int8 ONNX file. Runs that have finished are not repeated. Validation accuracy chose the settings.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from experiments import records, repeat
from kdjax.evaluation import statistics
from kdjax.system import cli, config_file, progress
from kdjax.system.errors import UserError

STUDENT = "resnet.resnet10_slim"
ALPHAS = (0.0, 0.9)
"""The student alone, and taught."""


def define() -> None:
    """The command's flags."""
    cli.define_path("weights", None, "EfficientNet-lite0's weights, as published for PyTorch.")
    cli.define_path("path", None, "UC Merced's class folders, or a zip or tar of them.")
    cli.define_path("data_dir", "runs/data", "Folder for decoded images and teachers' outputs.")
    cli.define_path("workdir", "runs/imported-teacher", "Folder of the runs.")
    flags.DEFINE_integer("teacher_epochs", 4, "Epochs of the whole teacher.", 1)
    flags.DEFINE_integer("epochs", 60, "Epochs of the students.", 1)
    flags.DEFINE_integer("seeds", 3, "Seeds 0, 1, ... of the students.", 1)
    records.define("imported-teacher")


def main() -> None:
    """Imports, trains, exports, records and prints."""
    values = flags.FLAGS
    for name in ("weights", "path"):
        if not values[name].value:
            raise UserError(f"--{name}=FILE is needed")
    from kdjax.config import grid
    from kdjax.evaluation import exported
    from kdjax.runs import importing
    from kdjax.system import runtime

    runtime.prepare()
    root, started = Path(values.workdir), time.perf_counter()
    if not (root / "imported").exists():
        root.mkdir(parents=True, exist_ok=True)
        importing.run(
            importing.Options(
                file=Path(values.weights),
                model="efficientnet.lite0",
                workdir=root / "imported",
                size=128,
            )
        )
    teacher = config_file.load("finetune:uc_merced,head_epochs=3")
    _set_data(teacher)
    teacher.networks.teacher.workdir = str(root / "imported")
    teacher.epochs, teacher.batch_size, teacher.learning_rate = values.teacher_epochs, 32, 1e-3
    students = config_file.load("kd:uc_merced,train=0,baseline=0")
    _set_data(students)
    students.networks.teacher.workdir = str(root / "teacher")
    students.networks.student.model = STUDENT
    students.networks.student.preprocessing.size = 96
    students.epochs, students.batch_size, students.learning_rate = values.epochs, 32, 2e-3
    students.weight_decay, students.temperature = 0.05, 1.0
    students.teacher_cache, students.data.views = True, 8
    students.data.augment.pad, students.data.augment.crop_scale = 12, (0.5, 1.0)
    students.validate_every_epochs = students.checkpoint_every_epochs = 5
    swept = grid.make(students, [("alpha", list(ALPHAS))], values.seeds, mode="auto", together=0)
    with runtime.catch_interrupts() as interrupt:
        of_teacher = repeat.run(teacher, root / "teacher", interrupt, "the teacher")
        of_students = repeat.run(swept, root / "students", interrupt, "the students")
    exports = {}
    for seed in range(values.seeds):
        name = f"student@alpha={ALPHAS[-1]:g}@seed={seed}"
        options = exported.Options(workdir=root / "students", network=name, int8=True)
        exports[seed] = exported.export(options._replace(data_dir=values.data_dir))
    record = {
        "seeds": list(range(values.seeds)),
        "summary": summarise(of_students, exports),
        "teacher": of_teacher["networks"]["teacher"],
        "exports": exports,
        "seconds": {
            "teacher": _seconds(of_teacher),
            "students": _seconds(of_students),
            "this command": round(time.perf_counter() - started),
        },
        "students": of_students["networks"],
        "data": of_students["data"],
    }
    records.write("experiments.imported_teacher", values.name, record)
    show(record)


def _set_data(config: Any) -> None:
    config.data.path, config.data.data_dir = flags.FLAGS.path, flags.FLAGS.data_dir
    config.data.size, config.tensorboard = 128, False


def _seconds(result: dict[str, Any]) -> float:
    return sum(stage["seconds"] for stage in result["stages"].values())


def summarise(result: dict[str, Any], exports: dict[int, Any]) -> dict[str, Any]:
    """Test accuracies in percent of students alone, taught and as int8, and paired differences."""
    accuracies: dict[str, list[float]] = {
        name: [
            100 * result["networks"][f"student@alpha={alpha:g}@seed={seed}"]["test"]["accuracy"]
            for seed in exports
        ]
        for name, alpha in zip(("alone", "taught"), ALPHAS, strict=True)
    }
    # The last row before the teacher's is the int8 file's.
    accuracies["taught, int8"] = [
        100 * next(row["accuracy"] for row in record["rows"] if row["name"].endswith("int8"))
        for record in exports.values()
    ]
    summary: dict[str, Any] = {
        name: {
            "test": values,
            "mean": float(np.mean(values)),
            "deviation": statistics.deviation(values),
        }
        for name, values in accuracies.items()
    }
    for name, other in (("taught", "alone"), ("taught, int8", "taught")):
        paired = statistics.paired(accuracies[name], accuracies[other])
        summary[name][f"against {other}"] = paired._asdict() if paired else None
    return summary


def show(record: dict[str, Any]) -> None:
    """Prints accuracies, and the size and the times of every program."""
    rows = [["teacher", f"{100 * record['teacher']['test']['accuracy']:.2f} %", "-", ""]]
    for name, row in record["summary"].items():
        other, paired = next(
            ((key, value) for key, value in row.items() if key.startswith("against")), ("", None)
        )
        spread = "-" if row["deviation"] is None else f"{row['deviation']:.2f}"
        difference = f"{other}: {statistics.difference_text(paired)}" if paired else ""
        rows.append([name, f"{row['mean']:.2f} %", spread, difference])
    progress.table(
        "Test accuracy on UC Merced",
        ["network", "mean", "deviation", "difference, 95 % interval"],
        rows,
        f"{len(record['seeds'])} seeds; {record['seconds']}",
    )
    from kdjax.evaluation import exported

    for export in record["exports"].values():
        exported.show(export)


if __name__ == "__main__":
    cli.launch(main, define)
