"""Runs one config with several seeds and records mean, spread and paired differences.

    python -m experiments.repeat --config=configs/dml.py:mnist --seeds=0,1,2 --name=dml-mnist

Each seed is both `config.seed` and `config.data.seed`: initialisation, split, order and
augmentation. A network `baseline` is paired with every other one by seed.
"""

from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

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
    """Runs what has not finished yet, then records and prints."""
    from kdjax.runs import saved_config
    from kdjax.system import runtime
    from kdjax.training import train

    config = cli.config_value()
    name = flags.FLAGS.name or f"{config.method}-{config.data.name}"
    runtime.prepare()
    results = []
    seeds = parse_seeds(flags.FLAGS.seeds)
    with runtime.Interrupt() as interrupt:
        for seed in seeds:
            config.seed = config.data.seed = seed
            directory = Path(flags.FLAGS.workdir) / f"{name}-{seed}"
            try:
                results.append(train.run(config, directory, interrupt))
            except train.Interrupted as stopped:
                raise SystemExit(
                    f"kdjax: stopped and saved at step {stopped} of seed {seed}; run the same "
                    "command again to go on"
                ) from None
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


def parse_seeds(texts: list[str]) -> list[int]:
    """Different whole numbers.

    Raises:
        UserError: they are not, or there are none.
    """
    if not texts or not all(text.isdecimal() for text in texts) or len(set(texts)) < len(texts):
        raise UserError(f"--seeds={','.join(texts)}: it takes different whole numbers, as 0,1,2")
    return [int(text) for text in texts]


def summarise(results: list[dict[str, Any]]) -> dict[str, Any]:
    """For each network the test accuracies in percent, their mean and standard deviation.

    With a baseline also the paired differences by seed, with the 95 % interval of their mean.
    """
    summary: dict[str, Any] = {}
    for name in results[0]["networks"]:
        accuracy = _accuracies(results, name)
        summary[name] = {
            "test": accuracy,
            "mean": float(np.mean(accuracy)),
            "deviation": statistics.deviation(accuracy),
        }
        if "baseline" in results[0]["networks"] and name != "baseline":
            paired = statistics.paired(accuracy, _accuracies(results, "baseline"))
            if paired is not None:
                summary[name]["against_baseline"] = paired._asdict()
    return summary


def _accuracies(results: list[dict[str, Any]], name: str) -> list[float]:
    return [100 * r["networks"][name]["test"]["accuracy"] for r in results]


def show(name: str, record: dict[str, Any]) -> None:
    """Prints one row for each network."""
    rows, seeds = [], len(record["seeds"])
    differences = [figures.get("against_baseline") for figures in record["summary"].values()]
    for network, figures in record["summary"].items():
        paired = figures.get("against_baseline")
        spread = "-" if figures["deviation"] is None else f"{figures['deviation']:.2f}"
        rows.append(
            [
                network,
                f"{figures['mean']:.2f} %",
                spread,
                statistics.difference_text(paired),
                statistics.detectable_text(paired, seeds),
            ]
        )
    seconds = [sum(run.values()) for run in record["training_seconds"]]
    progress.table(
        f"{name}: test accuracy, {seeds} seed{'s' * (seeds > 1)}",
        ["network", "mean", "deviation", "against baseline, 95 % interval", "detectable"],
        rows,
        f"trained in {np.median(seconds):.0f} s a seed (median). "
        + statistics.notes(differences, seeds),
    )


if __name__ == "__main__":
    cli.launch(main, define)
