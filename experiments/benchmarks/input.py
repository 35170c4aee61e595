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
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from absl import flags
from ml_collections import ConfigDict

from experiments import records
from experiments.benchmarks import turns
from kdjax.system import cli, progress

if TYPE_CHECKING:
    from kdjax.config.build import Plan

KINDS = ("fixed", "resident", "streaming")


def define() -> None:
    """The command's flags."""
    cli.define_config()
    flags.DEFINE_integer("rounds", 7, "Rounds; medians are taken over them.", lower_bound=1)
    flags.DEFINE_integer("steps", 10, "Steps of each kind in a round.", lower_bound=1)
    records.define()


def main() -> None:
    """Measures, prints and records."""
    from kdjax.runs import saved_config
    from kdjax.system import runtime

    config = cli.config_value()
    runtime.prepare()
    seconds = measure(config, rounds=flags.FLAGS.rounds, steps=flags.FLAGS.steps)
    summary = {kind: turns.against(taken, seconds["fixed"]) for kind, taken in seconds.items()}
    name = flags.FLAGS.name or f"input-{config.data.name}"
    record = {
        "summary": summary,
        "seconds_per_step": seconds,
        "config": saved_config.plain(config),
    }
    records.write("experiments.benchmarks.input", name, record)
    progress.table(
        f"{name}: a training step of {config.batch_size} images",
        ["input", "milliseconds", "of a fixed batch's", "in single rounds"],
        [[kind, *turns.cells(row)] for kind, row in summary.items()],
        f"Medians over {flags.FLAGS.rounds} rounds.",
    )


def measure(config: ConfigDict, *, rounds: int, steps: int) -> dict[str, list[float]]:
    """Seconds per step of every kind of input in every round."""
    import jax

    from kdjax.config import build

    plan = build.plan(config, len(jax.local_devices()))
    with contextlib.ExitStack() as stack:
        sides = {kind: _steps(kind, plan, stack) for kind in KINDS}
        return turns.measure("measuring", sides, rounds=rounds, steps=steps)


def _steps(kind: str, plan: "Plan", stack: contextlib.ExitStack) -> turns.Steps:
    """Training steps on one kind of input; the stack closes what feeds them."""
    import jax

    from kdjax.step import members
    from kdjax.training import layouts

    stage, split = plan.stages[-1], plan.data.splits["train"]
    layout = layouts.Layout(plan.parallel, streaming=kind != "resident", workers=plan.workers)
    train_step = layout.train_step(stage.code)
    batches = layout.feed(split).training(
        batch_size=stage.batch_size, seed=plan.data_seed, epochs=10**6, first=0
    )
    stack.enter_context(contextlib.closing(batches))
    source: Iterator[Any] = batches
    if kind == "fixed":
        source = itertools.repeat(next(batches))
        batches.close()

    @jax.jit
    def initialise(hyper: Any) -> Any:
        return members.initial_state(stage.code, hyper, {}, plan.data.image_shape)

    state, hyper = layout.spread(initialise(stage.hyper)), layout.replicate(stage.hyper)

    def steps(count: int) -> float:
        nonlocal state
        for arguments in itertools.islice(source, count):
            state, _ = train_step(state, {}, hyper, *arguments)
        jax.block_until_ready(state)
        return count

    return steps


if __name__ == "__main__":
    cli.launch(main, define)
