"""From the command to the end of the first step, with empty and with filled caches.

    python -m experiments.benchmarks.startup

The step is that of soft targets, ResNet-18 teaching six convolutions, batch 128; each start is a
process of its own. kdjax compiles; PyTorch runs eager and, with a C++ compiler, compiled.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from absl import flags

from experiments import records
from kdjax.system import cli, progress

SIDES = ("kdjax", "eager", "compiled")
CACHES = ("JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")


def define() -> None:
    """The command's flags."""
    flags.DEFINE_enum("child", "", ("", *SIDES), "Starts this side and ends; for the parent's use.")
    flags.DEFINE_list("sides", list(SIDES), "Which ones.")
    flags.DEFINE_integer("rounds", 3, "Rounds; medians are taken over them.", 1)
    records.define("startup-cpu")


def main() -> None:
    """Measures, prints and records; or is one of the starts."""
    values = flags.FLAGS
    if values.child:
        start(values.child)
        return
    seconds: dict[str, dict[str, list[float]]] = {
        side: {"cold": [], "warm": []} for side in values.sides
    }
    turns = [side for _ in range(values.rounds) for side in values.sides]
    for side in progress.track(turns, len(turns), "starting"):
        with tempfile.TemporaryDirectory() as folder:
            for cache in ("cold", "warm"):
                seconds[side][cache].append(timed(side, Path(folder)))
    records.write("experiments.benchmarks.startup", values.name, {"seconds": seconds})
    progress.table(
        "From the command to the end of the first step",
        ["", "empty cache, s", "filled cache, s"],
        [
            [side, *(f"{statistics.median(taken):.1f}" for taken in by_cache.values())]
            for side, by_cache in seconds.items()
        ],
        f"Medians over {values.rounds} rounds.",
    )


def timed(side: str, folder: Path) -> float:
    """Seconds that a start takes with its caches in a folder."""
    command = [sys.executable, "-m", "experiments.benchmarks.startup", f"--child={side}"]
    environment = os.environ | {name: str(folder / name) for name in CACHES}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True)
    return time.perf_counter() - began


def start(side: str) -> None:
    """One step of soft targets."""
    from experiments.benchmarks import ours

    if side == "kdjax":
        from kdjax.system import runtime

        runtime.prepare()
        ours.training(ours.taught()).steps(1)
    else:
        from experiments.benchmarks import torch_steps

        setting = torch_steps.Setting(compiled=side == "compiled")
        models = (ours.TEACHER, ours.STUDENT)
        torch_steps.soft_targets(
            setting, *models, ours.BATCH, alpha=ours.ALPHA, temperature=ours.TEMPERATURE
        )(1)


if __name__ == "__main__":
    cli.launch(main, define)
