"""Steps and predictions of kdjax on one device, for benchmarks."""

from typing import Any

from experiments.benchmarks.turns import Steps
from kdjax import discover

BATCH = 128


def _plan(config: Any) -> Any:
    from kdjax import build

    config.data.name = "experiments.benchmarks.noise"
    config.batch_size = BATCH
    config.data.validation = 0.0
    config.data.input = "resident"
    return build.plan(config, 1)


def training(config: Any, *, epochs: bool = False) -> Steps:
    """Steps of a config's last stage, or whole epochs; images are varied only in the latter."""
    import jax

    from kdjax import fit, parallel

    if not epochs:
        config.data.augment.pad, config.data.augment.flip = 0, False
    plan = _plan(config)
    stage = plan.stages[-1]
    layout = parallel.make("jit", jax.local_devices()[:1])
    program = stage.program
    frozen = layout.replicate(
        {n: jax.jit(program.networks[n].init)(jax.random.key(0)) for n in program.frozen}
    )

    @jax.jit
    def initialise(hyper: Any, frozen: Any) -> Any:
        return fit.initial_state(program, hyper, frozen, plan.data.image_shape)

    state = layout.spread(initialise(stage.hyper, frozen))
    hyper, update = layout.replicate(stage.hyper), layout.train_step(program)
    split = plan.data.splits["train"]
    batches = layout.feed(split).training(batch_size=BATCH, seed=0, epochs=10**6, first=0)
    each = len(split.id) // BATCH if epochs else 1

    def steps(count: int) -> None:
        nonlocal state
        for _ in range(count * each):
            state, _ = update(state, frozen, hyper, *next(batches))
        jax.block_until_ready(state)

    return steps


def predicting(model: str) -> Steps:
    """Predictions of one batch of 32 x 32 images."""
    import jax

    from kdjax import cost
    from kdjax.models import linen

    shape = (32, 32, 3)
    module = discover.model(model)(classes=10, dropout=0.0)
    network = linen.network(module, image_shape=shape, key_name="network")
    call = cost.prediction(network, jax.jit(network.init)(jax.random.key(0)), shape, BATCH)

    def steps(count: int) -> None:
        for _ in range(count):
            made = call()
        jax.block_until_ready(made)

    return steps
