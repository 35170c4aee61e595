"""What sharing saves: steps of kdjax against steps of kdjax, taking turns in one run.

    python -m experiments.benchmarks.sharing --cases=cache,peers,members

cache: a step of soft targets (ResNet-18 teaching six convolutions) with the teacher's answers read
back, and with the teacher running, against a step of the student alone. peers: a step of K peers
against that of one network, with the memory of each. members: a step of eight members of a sweep
over alpha and temperature in every mode, against a step of one. variance: a step of the student
whose BatchNorm takes two passes for the variance, against one pass. calls: several steps a call,
against one; for accelerators, and only where it is named, since a CPU is many times slower so.

Images are noise. Ratios are taken within a round.
"""

from typing import Any

from absl import flags

from experiments import records
from experiments.benchmarks import ours, turns
from kdjax.system import cli, progress

CASES = ("cache", "peers", "members", "variance", "calls")
PEERS = (2, 4, 8)
CALLS = (1, 8, 32)


def define() -> None:
    """The command's flags."""
    turns.define(CASES[:-1])
    records.define("sharing-cpu")


def main() -> None:
    """Measures, prints and records."""
    from kdjax.system import runtime

    runtime.prepare()
    values = flags.FLAGS
    results: dict[str, dict[str, Any]] = {}
    for case in turns.cases(CASES):
        work = MEASURE[case]()
        sides = {name: piece.steps for name, piece in work.items()}
        seconds = turns.measure(case, sides, rounds=values.rounds, seconds=values.seconds)
        first = next(iter(seconds.values()))
        results[case] = {
            name: {
                **turns.against(taken, first),
                "memory_mib": work[name].memory / 2**20,
                "seconds_by_round": taken,
            }
            for name, taken in seconds.items()
        }
    record = {"results": results, "batch": ours.BATCH}
    records.write("experiments.benchmarks.sharing", values.name, record)
    for case, rows in results.items():
        progress.table(
            f"{case}: a step of {ours.BATCH} images",
            ["work", "ms", "times the first", "in single rounds", "memory, MiB"],
            [[name, *turns.cells(row), f"{row['memory_mib']:.0f}"] for name, row in rows.items()],
            f"Medians over {values.rounds} rounds.",
        )


def cache() -> dict[str, ours.Work]:
    """The student's step alone, with the teacher's answers kept, and with the teacher."""
    kept = ours.taught()
    kept.teacher_cache = True
    return {
        "student alone": ours.training(ours.alone()),
        "answers kept": ours.training(kept),
        "teacher runs": ours.training(ours.taught()),
    }


def peers() -> dict[str, ours.Work]:
    """One network's step, and those of K peers."""
    from configs import dml

    work = {"1": ours.training(ours.alone())}
    for count in PEERS:
        config = dml.get_config(f"cifar10,peers={count},baseline=0")
        for network in config.networks.values():
            network.model = ours.STUDENT
        work[str(count)] = ours.training(config)
    return work


def members() -> dict[str, ours.Work]:
    """One member's step, and that of eight in every mode."""
    from kdjax import sweep

    work = {"1": ours.training(ours.taught())}
    for mode in ("separate", "vmap"):
        work[f"8 {mode}"] = ours.training(sweep.grid(ours.taught(), ours.AXES, 1, mode=mode))
    return work


def variance() -> dict[str, ours.Work]:
    """The student's step with Flax's variance, `E[x^2] - E[x]^2`, and with that of `linen`."""
    from unittest import mock

    from flax import linen as nn

    from kdjax.models import six_conv

    def one_pass(train: bool, **arguments: Any) -> nn.BatchNorm:
        return nn.BatchNorm(not train, momentum=0.9, epsilon=1e-5, **arguments)

    with mock.patch.object(six_conv, "batch_norm", one_pass):
        fast = ours.training(ours.alone())
        # Compiles.
        fast.steps(1)
    return {"one pass": fast, "two passes": ours.training(ours.alone())}


def calls() -> dict[str, ours.Work]:
    """The student's step, with one or several of them in a call."""
    work = {}
    for count in CALLS:
        config = ours.alone()
        config.steps_per_call = count
        work[f"{count} a call"] = ours.training(config)
    return work


MEASURE = {
    "cache": cache,
    "peers": peers,
    "members": members,
    "variance": variance,
    "calls": calls,
}

if __name__ == "__main__":
    cli.launch(main, define)
