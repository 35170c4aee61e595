"""Steps and predictions of kdjax on one device, for benchmarks."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from experiments.benchmarks.noise import CLASSES
from experiments.benchmarks.turns import Steps
from kdjax.system import discover

if TYPE_CHECKING:
    from kdjax.config.build import Plan
    from kdjax.step.types import CachedOutputs

BATCH = 128
TEACHER, STUDENT = "resnet.resnet18_cifar", "six_conv.student"
ALPHA, TEMPERATURE = 0.5, 4.0
AXES = [("alpha", [0.1, 0.9]), ("temperature", [1.0, 2.0, 4.0, 8.0])]
"""The axes of a sweep with eight members."""


def alone(student: str = STUDENT) -> ConfigDict:
    """A config of the student without a teacher."""
    from configs import ce

    config = ce.get_config("cifar10")
    config.networks.student.model = student
    return config


def taught(teacher: str = TEACHER, student: str = STUDENT) -> ConfigDict:
    """A config of the student and its teacher."""
    from configs import kd

    config = kd.get_config("cifar10,baseline=0")
    config.networks.teacher.model, config.networks.student.model = teacher, student
    config.alpha, config.temperature = ALPHA, TEMPERATURE
    return config


def _plan(config: ConfigDict) -> "Plan":
    from kdjax.config import build

    config.data.name = "experiments.benchmarks.noise"
    config.batch_size = BATCH
    config.precision = precision()
    config.data.validation = 0.0
    config.data.input = "resident"
    return build.plan(config, 1)


class Work(NamedTuple):
    """Steps, with the memory and the arithmetic of one step as XLA counts them.

    They are 0 where a step is several programs, which XLA cannot count together.
    """

    steps: Steps
    memory: int
    """Bytes, without the arguments."""
    flops: float
    """Floating-point operations."""


def precision() -> str:
    """The networks' precision: lower on accelerators, like PyTorch's mixed precision."""
    import jax

    return "float32" if jax.default_backend() == "cpu" else "bfloat16"


def training(config: ConfigDict, *, epochs: bool = False) -> Work:
    """Steps of a config's last stage, or whole epochs; images are varied only in the latter."""
    import jax

    from kdjax.step import members
    from kdjax.training import layouts

    if not epochs:
        config.data.augment.pad, config.data.augment.flip = 0, False
    plan = _plan(config)
    stage = plan.stages[-1]
    layout = layouts.Layout("jit", jax.local_devices()[:1])
    code, per_call = stage.code, stage.steps_per_call
    frozen: Any = {n: jax.jit(code.networks[n].init)(jax.random.key(0)) for n in code.frozen}
    images = layout.feed(plan.data.splits["train"])
    if plan.teacher_cache:
        # The values do not matter to the time.
        frozen = {name: _cached_outputs(images.count) for name in frozen}
    frozen = layout.replicate(frozen)

    @jax.jit
    def initialise(hyper: Any, frozen: Any) -> Any:
        return members.initial_state(code, hyper, frozen, plan.data.image_shape)

    state = layout.spread(initialise(stage.hyper, frozen))
    hyper, update = layout.replicate(stage.hyper), layout.train_step(code, per_call)
    batches = images.training(batch_size=BATCH, seed=0, epochs=10**6, first=0, per_call=per_call)
    per_unit = images.count // BATCH if epochs else 1

    def steps(count: int) -> float:
        nonlocal state
        done = 0
        while done < count * per_unit:
            arguments = next(batches)
            state, _ = update(state, frozen, hyper, *arguments)
            done += np.size(arguments[-1])
        jax.block_until_ready(state)
        return done / per_unit

    memory, flops = 0, 0.0
    if per_call > 1 or not code.swept:
        lowered = update.lower(state, frozen, hyper, *next(batches))
        programs = lowered if isinstance(lowered, list) else [lowered]
        memory = max(p.compile().memory_analysis().temp_size_in_bytes for p in programs)
        # XLA counts one step of a loop.
        flops = per_unit * sum((p.cost_analysis() or {}).get("flops", 0.0) for p in programs)
    if per_call > 1:
        # The shorter call that begins an epoch is another program.
        steps(images.count // BATCH // per_unit)
    return Work(steps, memory, flops)


def _cached_outputs(count: int) -> "CachedOutputs":
    import jax
    import jax.numpy as jnp

    from kdjax.step.types import CachedOutputs, Outputs

    logits = jax.random.normal(jax.random.key(0), (1, count, CLASSES), jnp.float16)
    return CachedOutputs(jnp.arange(count, dtype=jnp.int32), Outputs(logits, {}))


def predicting(model: str) -> Work:
    """Predictions of one batch of 32 x 32 images."""
    import jax

    from kdjax.evaluation import cost
    from kdjax.models.networks import linen

    shape = (32, 32, 3)
    module = discover.model(model)(classes=10, dropout=0.0)
    network = linen.network(module, image_shape=shape, key_name="network", precision=precision())
    state = jax.jit(network.init)(jax.random.key(0))
    call = cost.prediction(network, state, BATCH)

    def steps(count: int) -> float:
        for _ in range(count):
            outputs = call()
        jax.block_until_ready(outputs)
        return count

    return Work(steps, 0, BATCH * (cost.flops(network, state) or 0.0))
