"""Runs one config with several seeds and records mean, spread and paired differences.

    python -m experiments.repeat --config=configs/dml.py:mnist --seeds=0,1,2 --name=dml-mnist

Each seed is both `config.seed` and `config.data.seed`: initialisation, split, order and
augmentation. Every other network is paired with the network `baseline` by seed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from experiments import records
from kdjax.evaluation import statistics
from kdjax.system import cli, progress
from kdjax.system.errors import UserError


def define() -> None:
    """The command's flags."""
    cli.define_config()
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds, separated by commas.")
    cli.define_path("workdir", "runs/repeat", "Runs go to WORKDIR/NAME-SEED.")
    records.define()


def main() -> None:
    """Runs the seeds that have not finished yet, then records and prints."""
    from kdjax.runs import saved_config
    from kdjax.system import runtime

    config = cli.config_value()
    name = flags.FLAGS.name or f"{config.method}-{config.data.name}"
    runtime.prepare()
    results = []
    with runtime.catch_interrupts() as interrupt:
        for seed in parse_seeds(flags.FLAGS.seeds):
            config.seed = config.data.seed = seed
            directory = Path(flags.FLAGS.workdir) / f"{name}-{seed}"
            results.append(run(config, directory, interrupt, f"seed {seed}"))
    record = {
        "seeds": [result["seed"] for result in results],
        "summary": summarise(results),
        "training_seconds": [
            {stage: figures["seconds"] for stage, figures in result["stages"].items()}
            for result in results
        ],
        "config": saved_config.plain(config),
        "runs": results,
    }
    records.write("experiments.repeat", name, record)
    show(name, record)


def run(
    config: ConfigDict, directory: Path, should_stop: Callable[[int], bool], name: str
) -> dict[str, Any]:
    """The result of a run, which is trained unless it has finished.

    Args:
        config: what to train.
        directory: the run's workdir.
        should_stop: asked after every step; where it says so, the program saves and ends.
        name: the run in words.
    """
    from kdjax.training import train

    try:
        return train.run(config, directory, should_stop)
    except train.Interrupted as stopped:
        raise SystemExit(
            f"kdjax: stopped and saved at step {stopped} of {name}; run the same command again "
            "to go on"
        ) from None


def parse_seeds(texts: list[str]) -> list[int]:
    """The seeds that a flag lists.

    Raises:
        UserError: they are not different whole numbers, or there are none.
    """
    if not texts or not all(text.isdecimal() for text in texts) or len(set(texts)) < len(texts):
        raise UserError(f"--seeds={','.join(texts)}: it takes different whole numbers, as 0,1,2")
    return [int(text) for text in texts]


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The test accuracies of each network in percent, their mean and standard deviation.

    Where there is a baseline, also the differences from it, paired by seed, with the 95 % interval
    of their mean.
    """
    accuracies = {
        name: [100 * result["networks"][name]["test"]["accuracy"] for result in results]
        for name in results[0]["networks"]
    }
    summary: dict[str, Any] = {}
    for name, values in accuracies.items():
        summary[name] = {
            "test": values,
            "mean": float(np.mean(values)),
            "deviation": statistics.deviation(values),
        }
        if "baseline" in accuracies and name != "baseline":
            paired = statistics.paired(values, accuracies["baseline"])
            if paired is not None:
                summary[name]["against_baseline"] = paired._asdict()
    return summary


def cells(row: dict[str, Any], paired: dict[str, Any] | None, seeds: int) -> list[str]:
    """The cells of a table for a network: mean, deviation, difference, detectable difference."""
    return [
        f"{row['mean']:.2f} %",
        "-" if row["deviation"] is None else f"{row['deviation']:.2f}",
        statistics.difference_text(paired),
        statistics.detectable_text(paired, seeds),
    ]


def show(name: str, record: dict[str, Any]) -> None:
    """Prints one row for each network."""
    summary, seeds = record["summary"], len(record["seeds"])
    paired = {network: row.get("against_baseline") for network, row in summary.items()}
    seconds = [sum(run.values()) for run in record["training_seconds"]]
    progress.table(
        f"{name}: test accuracy, {seeds} seed{'s' * (seeds > 1)}",
        ["network", "mean", "deviation", "against baseline, 95 % interval", "detectable"],
        [[network, *cells(row, paired[network], seeds)] for network, row in summary.items()],
        f"trained in {np.median(seconds):.0f} s a seed (median). "
        + statistics.notes(list(paired.values()), seeds),
    )


if __name__ == "__main__":
    cli.launch(main, define)
