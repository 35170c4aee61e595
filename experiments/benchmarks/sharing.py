"""What sharing saves: steps of kdjax against steps of kdjax, taking turns in one run.

    python -m experiments.benchmarks.sharing --cases=cache,peers,members

cache: a step of soft targets (ResNet-18 teaching six convolutions) with the teacher's answers read
back, and with the teacher running, against a step of the student alone. peers: a step of K peers
against that of one network, with the memory of each. members: a step of eight members of a sweep
over alpha and temperature in every mode, against a step of one.

Images are noise. Ratios are taken within a round.
"""

import statistics
import sys
from pathlib import Path
from typing import Any

from absl import flags

from experiments.benchmarks import ours
from experiments.benchmarks.turns import take_turns
from kdjax import cli, discover, progress, writers

CASES = ("cache", "peers", "members")
TEACHER, STUDENT = "resnet.resnet18_cifar", "six_conv.student"
PEERS = (2, 4, 8)


def define() -> None:
    """The command's flags."""
    flags.DEFINE_list("cases", list(CASES), "Which ones.")
    flags.DEFINE_integer("rounds", 5, "Rounds; medians are taken over them.", 1)
    flags.DEFINE_float("seconds", 2.0, "About how long each piece of work runs in a round.")
    flags.DEFINE_string("name", "sharing-cpu", "Name of the record.")
    flags.DEFINE_string("results", "experiments/results", "Where the record goes.")


def main() -> None:
    """Measures, prints and records."""
    from kdjax import runtime

    runtime.prepare()
    given = flags.FLAGS
    for case in given.cases:
        if case not in CASES:
            raise discover.unknown("case", case, CASES)
    found = {}
    for case in given.cases:
        work = {"cache": cache, "peers": peers, "members": members}[case]()
        sides = {name: each.steps for name, each in work.items()}
        seconds = take_turns(case, sides, rounds=given.rounds, seconds=given.seconds)
        found[case] = summarise(work, seconds)
    record = {
        "command": "python -m experiments.benchmarks.sharing " + " ".join(sys.argv[1:]),
        "results": found,
        "batch": ours.BATCH,
        **runtime.environment(),
    }
    folder = Path(given.results)
    folder.mkdir(parents=True, exist_ok=True)
    writers.write_json(folder / f"{given.name}.json", record)
    for case, rows in found.items():
        progress.table(
            f"{case}: a step of {ours.BATCH} images",
            ["work", "ms", "times the first", "in single rounds", "memory, MiB"],
            [
                [
                    name,
                    f"{1e3 * one['seconds']:.1f}",
                    f"{one['ratio']:.2f}",
                    " to ".join(f"{end:.2f}" for end in one["range"]),
                    f"{one['memory_mib']:.0f}",
                ]
                for name, one in rows.items()
            ],
            f"Medians over {given.rounds} rounds.",
        )


def summarise(
    work: dict[str, ours.Training], seconds: dict[str, list[float]]
) -> dict[str, dict[str, Any]]:
    """Medians, and ratios to the first piece of work within a round."""
    first = next(iter(seconds.values()))
    found = {}
    for name, taken in seconds.items():
        ratios = [one / base for one, base in zip(taken, first, strict=True)]
        found[name] = {
            "seconds": statistics.median(taken),
            "ratio": statistics.median(ratios),
            "range": [min(ratios), max(ratios)],
            "memory_mib": work[name].memory / 2**20,
            "seconds_by_round": taken,
        }
    return found


def alone() -> Any:
    """A config of the student without a teacher."""
    from configs import ce

    config = ce.get_config("cifar10")
    config.networks.student.model = STUDENT
    return config


def taught() -> Any:
    """A config of the student and its teacher."""
    from configs import kd

    config = kd.get_config("cifar10,baseline=0")
    config.networks.teacher.model, config.networks.student.model = TEACHER, STUDENT
    return config


def cache() -> dict[str, ours.Training]:
    """The student's step alone, with the teacher's answers kept, and with the teacher."""
    kept = taught()
    kept.teacher_cache = True
    return {
        "student alone": ours.training(alone()),
        "answers kept": ours.training(kept),
        "teacher runs": ours.training(taught()),
    }


def peers() -> dict[str, ours.Training]:
    """One network's step, and those of K peers."""
    from configs import dml

    found = {"1": ours.training(alone())}
    for count in PEERS:
        config = dml.get_config(f"cifar10,peers={count},baseline=0")
        for network in config.networks.values():
            network.model = STUDENT
        found[str(count)] = ours.training(config)
    return found


def members() -> dict[str, ours.Training]:
    """One member's step, and that of eight in every mode."""
    from kdjax import sweep

    axes = [("alpha", [0.1, 0.9]), ("temperature", [1.0, 2.0, 4.0, 8.0])]
    found = {"1": ours.training(taught())}
    for mode in ("separate", "unrolled", "vmap"):
        found[f"8 {mode}"] = ours.training(sweep.grid(taught(), axes, 1, mode=mode))
    return found


if __name__ == "__main__":
    cli.launch(main, define)
