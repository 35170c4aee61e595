"""What input costs: time of a training step with a fixed batch, resident and streaming images.

    python -m experiments.benchmarks.input --config=configs/ce.py:cifar10 --name=input-cifar10
    python -m experiments.benchmarks.input --config=configs/ce.py:celeb_a \
        --config.networks.student.model=resnet.resnet18_imagenet --name=input-celeb-a

The last stage of the config is trained, one step a call. The three take turns, a few steps each, in
every round; a ratio is taken within a round, so that a change of the machine's speed touches both
its sides.
"""

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from absl import flags
from ml_collections import ConfigDict, config_flags

from experiments import records
from kdjax.system import cli, progress

KINDS = ("fixed", "resident", "streaming")


def define() -> None:
    """The command's flags."""
    config_flags.DEFINE_config_file("config", None, "As for kdjax.main.")
    flags.DEFINE_integer("rounds", 7, "Rounds; medians are taken over them.", lower_bound=1)
    flags.DEFINE_integer("steps", 10, "Steps of each kind in a round.", lower_bound=1)
    records.define()


def main() -> None:
    """Measures, prints and records."""
    from kdjax.runs import saved_config
    from kdjax.system import runtime

    config = cli.config_value()
    runtime.prepare()
    rounds = measure(config, rounds=flags.FLAGS.rounds, steps=flags.FLAGS.steps)
    summary = summarise(rounds)
    name = flags.FLAGS.name or f"input-{config.data.name}"
    record = {
        "summary": summary,
        "seconds_per_step": rounds,
        "config": saved_config.plain(config),
        **runtime.environment(),
    }
    records.write("experiments.benchmarks.input", name, record)
    progress.table(
        f"{name}: a training step of {config.batch_size} images",
        ["input", "milliseconds", "of a fixed batch's", "in single rounds"],
        [
            [
                kind,
                f"{1000 * summary[kind]['seconds']:.1f}",
                f"{summary[kind]['ratio']:.3f}",
                " to ".join(f"{end:.3f}" for end in summary[kind]["range"]),
            ]
            for kind in KINDS
        ],
        f"Medians over {len(rounds['fixed'])} rounds.",
    )


def measure(config: ConfigDict, *, rounds: int, steps: int) -> dict[str, list[float]]:
    """Seconds per step of every kind of input in every round, after a round that is not counted."""
    import jax

    from kdjax.config import build

    plan = build.plan(config, len(jax.local_devices()))
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with contextlib.ExitStack() as stack:
        run = {kind: _runner(kind, plan, stack) for kind in KINDS}
        turns = itertools.product(range(rounds + 1), KINDS)
        for number, kind in progress.track(turns, (rounds + 1) * len(KINDS), "measuring"):
            # Different kinds come first in different rounds.
            kind = KINDS[(KINDS.index(kind) + number) % len(KINDS)]
            taken = run[kind](steps)
            if number:
                seconds[kind].append(taken)
    return seconds


def _runner(kind: str, plan: Any, stack: contextlib.ExitStack) -> Callable[[int], float]:
    """A function that trains for some steps and gives the seconds that each took."""
    import jax

    from kdjax.step import members
    from kdjax.training import layouts

    stage, split = plan.stages[-1], plan.data.splits["train"]
    layout = layouts.make(plan.parallel, streaming=kind != "resident", workers=plan.workers)
    train_step = layout.train_step(stage.code)
    batches = layout.feed(split).training(
        batch_size=stage.batch_size, seed=plan.data_seed, epochs=10**6, first=0
    )
    stack.enter_context(contextlib.closing(batches))
    source: Iterator[Any] = itertools.repeat(next(batches)) if kind == "fixed" else batches
    if kind == "fixed":
        batches.close()

    @jax.jit
    def initialise(hyper: Any) -> Any:
        return members.initial_state(stage.code, hyper, {}, plan.data.image_shape)

    state, hyper = layout.spread(initialise(stage.hyper)), layout.replicate(stage.hyper)

    def run(steps: int) -> float:
        nonlocal state
        started = time.perf_counter()
        for arguments in itertools.islice(source, steps):
            state, _ = train_step(state, {}, hyper, *arguments)
        jax.block_until_ready(state)
        return (time.perf_counter() - started) / steps

    return run


def summarise(seconds: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """Medians of seconds and of the ratio to a fixed batch within a round, and its range."""
    summary = {}
    for kind, taken in seconds.items():
        ratios = (np.array(taken) / np.array(seconds["fixed"])).tolist()
        summary[kind] = {
            "seconds": statistics.median(taken),
            "ratio": statistics.median(ratios),
            "range": [min(ratios), max(ratios)],
        }
    return summary


if __name__ == "__main__":
    cli.launch(main, define)
