"""Every method's student against the one trained alone, on a few training images.

    python -m experiments.methods --tune --name=methods-mnist-tuning
    python -m experiments.methods --settings=methods-mnist-tuning --name=methods-mnist

All of MNIST is saturated, so 5 % of its training images are used. `--tune` tries each method's
grid (experiments/methods_table.py) on seeds of its own and chooses by validation accuracy; the
study then trains on training and validation images with those settings, one run for each seed, and
looks at the test images once. A seed is initialisation, order, augmentation and the choice of
images: methods are paired by it. The teacher has seen all training images, and is the same one for
all seeds.
"""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from experiments import methods_report, records, repeat
from experiments.methods_run import Runner, Settings
from experiments.methods_table import BY_LABEL, METHODS, Method
from kdjax.evaluation import statistics
from kdjax.system import cli, discover
from kdjax.system.errors import UserError

Result = dict[str, Any]
"""The result of a run, as `result.json` has it."""
Run = Callable[..., Result]
"""A `Runner`."""


def define() -> None:
    """The command's flags."""
    flags.DEFINE_string("dataset", "mnist", "Data set of every config.")
    flags.DEFINE_float("fraction", 0.05, "Share of the training images.")
    flags.DEFINE_integer("epochs", 15, "Epochs of every stage.", lower_bound=1)
    flags.DEFINE_integer("batch_size", 64, "Images in a batch.", lower_bound=1)
    flags.DEFINE_list("seeds", None, "Seeds. Default: 0 to 9, or 100 with --tune.")
    flags.DEFINE_list("methods", None, "Labels of methods. Default: all.")
    flags.DEFINE_bool("tune", False, "Choose settings on validation images.")
    flags.DEFINE_list("settings", [], "Names of records of --tune. Default: configs as they are.")
    cli.define_path("workdir", "runs/methods", "Runs go to WORKDIR/NAME/METHOD-SEED.")
    records.define()


def main() -> None:
    """Tunes or compares, prints and records."""
    from kdjax.system import runtime

    runtime.prepare()
    values = flags.FLAGS
    name = values.name or f"methods-{values.dataset}" + "-tuning" * values.tune
    seeds = repeat.parse_seeds(
        values.seeds or (["100"] if values.tune else [str(seed) for seed in range(10)])
    )
    methods = chosen_methods(values.methods, tuning=values.tune)
    with runtime.catch_interrupts() as interrupt:
        run = Runner(
            Path(values.workdir) / name,
            dataset=values.dataset,
            fraction=values.fraction,
            epochs=values.epochs,
            batch_size=values.batch_size,
            tuning=values.tune,
            should_stop=interrupt,
        )
        if values.tune:
            measures = tune(run, methods, seeds)
        else:
            settings = tuned(records.folder(), values.settings, values.dataset)
            measures = compare(run, methods, seeds, settings, values.dataset)
    record = {
        "dataset": values.dataset,
        "fraction": values.fraction,
        "epochs": values.epochs,
        "batch_size": values.batch_size,
        "seeds": seeds,
        **measures,
    }
    records.write("experiments.methods", name, record)
    (methods_report.show_tuning if values.tune else methods_report.show)(record)


def chosen_methods(labels: list[str] | None, *, tuning: bool) -> list[Method]:
    """The methods with these labels, and the methods that they need, in the table's order.

    Args:
        labels: None for all.
        tuning: whether settings are chosen, which needs no baselines.

    Raises:
        UserError: no method has one of the labels.
    """
    needed: set[str] = set()

    def add(label: str) -> None:
        if label not in BY_LABEL:
            raise discover.unknown("method", label, BY_LABEL)
        method = BY_LABEL[label]
        if label not in needed:
            needed.add(label)
            for other in (method.teacher_from, method.like if tuning else method.paired_with):
                if other:
                    add(other)

    for label in labels or BY_LABEL:
        add(label)
    return [method for method in METHODS if method.label in needed]


def tuned(folder: Path, names: list[str], dataset: str) -> dict[str, Settings]:
    """The settings that `--tune` chose on a data set, by method.

    Raises:
        UserError: there is no record of a name, or it is of something else.
    """
    chosen: dict[str, Settings] = {}
    for name in names:
        path = folder / f"{name}.json"
        if not path.exists():
            raise UserError(f"--settings={name}: there is no {path}")
        record = json.loads(path.read_text())
        if record.get("dataset") != dataset or "tuning" not in record:
            raise UserError(f"--settings={name}: {path} has no tuning on {dataset}")
        chosen |= {label: tuning["chosen"] for label, tuning in record["tuning"].items()}
    return chosen


def settings_of(method: Method, tuned: dict[str, Settings]) -> Settings:
    """The settings chosen for a method, else for the method that it is like."""
    if method.label in tuned or not method.like:
        return tuned.get(method.label, {})
    return settings_of(BY_LABEL[method.like], tuned)


def tune(run: Run, methods: list[Method], seeds: list[int]) -> dict[str, Any]:
    """Validation accuracies over each method's grid, and the setting with the best mean."""
    tuning: dict[str, Any] = {}
    for method in methods:
        start = tuning[method.like]["chosen"] if method.like else {}
        trials: list[dict[str, Any]] = []
        for number, changes in enumerate(grid(method)):
            settings = start | changes
            results = [run(method, seed, settings, f"{number}" * bool(changes)) for seed in seeds]
            values = [
                [
                    _last(result, network, "validation")
                    for network in method.networks
                    if network in result["networks"] and network != "baseline"
                ]
                for result in results
            ]
            mean = float(np.mean(values))
            trials.append({"settings": settings, "validation": values, "mean": mean})
            print(method.label, settings, mean, flush=True)
        best = max(trials, key=lambda trial: trial["mean"])
        tuning[method.label] = {"chosen": best["settings"], "tried": trials}
    return {"tuning": tuning}


def grid(method: Method) -> list[Settings]:
    """Every combination of a method's values; one empty setting where it has none."""
    return [
        dict(zip(method.grid, values, strict=True))
        for values in itertools.product(*method.grid.values())
    ]


def compare(
    run: Run,
    methods: list[Method],
    seeds: list[int],
    settings: dict[str, Settings],
    dataset: str,
) -> dict[str, Any]:
    """Test accuracies of every method's networks, and their paired differences."""
    results: dict[str, list[Result]] = {method.label: [] for method in methods}
    for seed in seeds:
        for method in methods:
            # A pinned teacher is one run, whatever the seeds.
            if not (method.pinned and results[method.label]):
                results[method.label].append(run(method, seed, settings_of(method, settings)))

    def test(label: str, network: str) -> list[float]:
        return [_last(result, network, "test") for result in results[label]]

    rows = []
    for method in methods:
        for network in method.networks:
            values = test(method.label, network)
            against = adds = None
            if method.baseline and method.baseline != (method.label, network):
                against = _paired(values, test(*method.baseline))
            before = next((n for n in method.networks if n.startswith(f"{network} after ")), None)
            if before is not None:
                adds = _paired(values, test(method.label, before))
            elif method.builds_on in results:
                adds = _paired(values, test(method.builds_on, "student"))
            rows.append(
                {
                    "method": method.label,
                    "network": network,
                    "settings": settings_of(method, settings),
                    "config": method.command(dataset),
                    "test": values,
                    "mean": float(np.mean(values)),
                    "deviation": statistics.deviation(values),
                    "against": against,
                    "adds": adds,
                }
            )
    return {"rows": rows}


def _paired(values: list[float], others: list[float]) -> dict[str, Any] | None:
    """The differences of two networks by seed, and the mean of the other network."""
    paired = statistics.paired(values, others)
    return None if paired is None else {"of": float(np.mean(others)), **paired._asdict()}


def _last(result: Result, network: str, split: str) -> float:
    """A network's last accuracy in percent; the name is as in `Method.networks`."""
    name, _, stage = network.partition(" after ")
    networks = result["stages"][stage]["networks"] if stage else result["networks"]
    return 100 * networks[name]["last"][split]["accuracy"]


if __name__ == "__main__":
    cli.launch(main, define)
