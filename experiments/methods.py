"""Every method's student against the one trained alone, on a few training images.

    python -m experiments.methods --tune --name=methods-mnist-tuning
    python -m experiments.methods --settings=methods-mnist-tuning --name=methods-mnist

All of MNIST is saturated, so that 5 % of its training images are used. `--tune` tries each method's
grid (experiments/methods_table.py) on seeds of its own and chooses by validation accuracy; the
study then trains on training and validation images with those settings, one run for each seed, and
looks at the test images once. A seed is initialisation, order, augmentation and the choice of
images: methods are paired by it. The teacher has seen all training images, and is the same one for
all seeds.
"""

import itertools
import json
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


def define() -> None:
    """The command's flags."""
    flags.DEFINE_string("dataset", "mnist", "What follows the colon of the configs.")
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
    given = flags.FLAGS
    name = given.name or f"methods-{given.dataset}" + "-tuning" * given.tune
    default = ("100",) if given.tune else tuple(map(str, range(10)))
    seeds = repeat.parse_seeds(given.seeds or list(default))
    methods = chosen_methods(given.methods, tuning=given.tune)
    run = Runner(
        Path(given.workdir) / name,
        dataset=given.dataset,
        fraction=given.fraction,
        epochs=given.epochs,
        batch_size=given.batch_size,
        tuning=given.tune,
    )
    folder = records.folder()
    with runtime.Interrupt() as interrupt:
        run.should_stop = interrupt
        if given.tune:
            figures = tune(run, methods, seeds)
        else:
            settings = tuned(folder, given.settings, given.dataset)
            figures = compare(run, methods, seeds, settings, given.dataset)
    record = {
        "dataset": given.dataset,
        "fraction": given.fraction,
        "epochs": given.epochs,
        "batch_size": given.batch_size,
        "seeds": seeds,
        **figures,
        **runtime.environment(),
    }
    records.write("experiments.methods", name, record)
    (methods_report.show_tuning if given.tune else methods_report.show)(record)


def chosen_methods(labels: list[str] | None, *, tuning: bool) -> list[Method]:
    """Those of these labels, and those that they need, in the table's order.

    Args:
        labels: None for all.
        tuning: whether settings are chosen, which needs no baselines.

    Raises:
        UserError: there is none of a label.
    """
    wanted: set[str] = set()

    def add(label: str) -> None:
        if label not in BY_LABEL:
            raise discover.unknown("method", label, BY_LABEL)
        method = BY_LABEL[label]
        if label not in wanted:
            wanted.add(label)
            for other in (method.teacher_from, method.like if tuning else method.paired_with):
                if other:
                    add(other)

    for label in labels or BY_LABEL:
        add(label)
    return [method for method in METHODS if method.label in wanted]


def tuned(folder: Path, names: list[str], dataset: str) -> dict[str, Settings]:
    """What `--tune` chose on a data set, by method.

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
        chosen |= {label: found["chosen"] for label, found in record["tuning"].items()}
    return chosen


def settings_of(method: Method, tuned: dict[str, Settings]) -> Settings:
    """What was chosen for a method, else for the one that it is like."""
    if method.label in tuned or not method.like:
        return tuned.get(method.label, {})
    return settings_of(BY_LABEL[method.like], tuned)


def tune(run: Runner, methods: list[Method], seeds: list[int]) -> dict[str, Any]:
    """Validation accuracies over each method's grid, and the setting with the best mean."""
    found: dict[str, Any] = {}
    for method in methods:
        start = found[method.like]["chosen"] if method.like else {}
        tried = []
        for number, setting in enumerate(grid(method)):
            settings = start | setting
            tag = f"{number}" if setting else ""
            results = [run(method, seed, settings, tag) for seed in seeds]
            values = [
                [
                    _last(r, n, "validation")
                    for n in method.networks
                    if n in r["networks"] and n != "baseline"
                ]
                for r in results
            ]
            tried.append(
                {"settings": settings, "validation": values, "mean": float(np.mean(values))}
            )
            print(method.label, settings, tried[-1]["mean"], flush=True)
        best = max(tried, key=lambda one: one["mean"])
        found[method.label] = {"chosen": best["settings"], "tried": tried}
    return {"tuning": found}


def grid(method: Method) -> list[Settings]:
    """Every combination of a method's values; one empty setting where it has none."""
    return [
        dict(zip(method.grid, values, strict=True))
        for values in itertools.product(*method.grid.values())
    ]


def compare(
    run: Runner,
    methods: list[Method],
    seeds: list[int],
    settings: dict[str, Settings],
    dataset: str,
) -> dict[str, Any]:
    """Test accuracies of every method's networks, and their paired differences."""
    results: dict[str, list[dict[str, Any]]] = {method.label: [] for method in methods}
    for seed in seeds:
        for method in methods:
            # A pinned teacher is one run, whatever the seeds.
            if not (method.pinned and results[method.label]):
                results[method.label].append(run(method, seed, settings_of(method, settings)))
    rows = []
    for method in methods:
        for network in method.networks:
            values = _tests(results[method.label], network)
            rows.append(
                {
                    "method": method.label,
                    "network": network,
                    "settings": settings_of(method, settings),
                    "config": method.command(dataset),
                    "test": values,
                    "mean": float(np.mean(values)),
                    "deviation": statistics.deviation(values),
                    "against": _against(method, network, values, results),
                    "adds": _adds(method, network, values, results),
                }
            )
    return {"rows": rows}


Results = dict[str, list[dict[str, Any]]]


def _against(
    method: Method, network: str, values: list[float], results: Results
) -> dict[str, Any] | None:
    """Against the network that trained alone."""
    if method.baseline is None or method.baseline == (method.label, network):
        return None
    label, alone = method.baseline
    return _paired(values, _tests(results[label], alone))


def _adds(
    method: Method, network: str, values: list[float], results: Results
) -> dict[str, Any] | None:
    """Against what the method builds on: another one, or its own earlier stage."""
    before = next((n for n in method.networks if n.startswith(f"{network} after ")), None)
    if before is not None:
        return _paired(values, _tests(results[method.label], before))
    if method.builds_on in results:
        return _paired(values, _tests(results[method.builds_on], "student"))
    return None


def _paired(values: list[float], alone: list[float]) -> dict[str, Any] | None:
    found = statistics.paired(values, alone)
    return None if found is None else {"of": float(np.mean(alone)), **found._asdict()}


def _tests(results: list[dict[str, Any]], network: str) -> list[float]:
    return [_last(result, network, "test") for result in results]


def _last(result: dict[str, Any], network: str, split: str) -> float:
    """In percent; `<network> after <stage>` is what that stage left, a sum of names an ensemble."""
    name, _, stage = network.partition(" after ")
    found = result["stages"][stage] if stage else result
    return 100 * found["networks"][name]["last"][split]["accuracy"]


if __name__ == "__main__":
    cli.launch(main, define)
