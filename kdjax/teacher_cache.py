"""What frozen networks answer to every training image, computed once and kept on disk.

Where the views of an image repeat, so do a teacher's answers. They are kept in half precision, in a
folder named after all that they depend on: the program that computes them (architecture,
normalisation, augmentation, which features are read), the networks' variables, the images, and the
seed and number of the views.
"""

import contextlib
import functools
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kdjax import evaluation, feed, fit, reads, restore, step
from kdjax.build import Plan, Stage
from kdjax.data import cache
from kdjax.errors import UserError
from kdjax.feed import Feed
from kdjax.parallel import Parallel
from kdjax.program import Answers, Observed, Program
from kdjax.progress import Bar
from kdjax.types import Batch, NetState

_VERSION = "answers-1"


def answers(
    plan: Plan, layout: Parallel, train: Feed, stage: Stage, frozen: Mapping[str, NetState]
) -> dict[str, Answers]:
    """The answers of the networks that a stage reads and does not train, on the devices.

    Args:
        plan: the run's.
        layout: how the devices share the work.
        train: of the training split.
        stage: of the plan; its program says how many views there are.
        frozen: the networks' variables.

    Raises:
        UserError: they do not fit the devices, or the disk.
    """
    program = stage.program.swept.base if stage.program.swept else stage.program
    read = tuple(sorted(_read(plan, stage, program, frozen)))
    ids = plan.data.splits["train"].id
    answer = layout.answer_step(program)
    seed = _hyper(stage).data_seed

    def batches() -> Any:
        return contextlib.closing(evaluation.batches(train, plan.eval_batch_size, layout))

    with batches() as found:
        first = (frozen, read, seed, jnp.int32(0), *next(found))
    shapes = jax.eval_shape(answer, *first)
    batch = jax.tree.leaves(shapes)[0].shape[0]
    whole = [(program.views, len(ids), *one.shape[1:]) for one in jax.tree.leaves(shapes)]
    nbytes = sum(2 * math.prod(shape) for shape in whole)
    if not feed.fits(nbytes, jax.local_devices()[0]):
        raise UserError(
            f"the answers that stage {stage.name!r} reads take {nbytes / 2**30:.1f} GiB, too much "
            "for a device; lower config.data.views, or set config.teacher_cache=False"
        )

    def write(fresh: Path) -> None:
        arrays = [
            np.lib.format.open_memmap(fresh / f"{n}.npy", mode="w+", dtype=np.float16, shape=shape)
            for n, shape in enumerate(whole)
        ]
        steps = -(-len(ids) // batch)
        with Bar(f"{stage.name}: teachers' answers", program.views * steps, 0) as bar:
            for view in range(program.views):
                done = 0
                with batches() as found:
                    for number, arguments in enumerate(found, start=1):
                        made = answer(frozen, read, seed, jnp.int32(view), *arguments)
                        parts = [one[: len(ids) - done] for one in jax.tree.leaves(made)]
                        for array, part in zip(arrays, parts, strict=True):
                            array[view, done : done + len(part)] = part
                        done += len(parts[0])
                        bar.to(view * steps + number)

    known = (
        answer.lower(*first).as_text(),
        *(restore.digest(state) for _, state in sorted(frozen.items())),
        plan.data.source,
        plan.data.content,
        hashlib.sha256(ids.tobytes()).hexdigest(),
        str((plan.data_seed, program.views)),
    )
    key = hashlib.sha256("\n".join(known).encode()).hexdigest()[:32]
    folder = cache.root(plan.data_dir) / "kdjax" / _VERSION / key
    cache.whole(folder, write, "teachers' answers")
    with cache.reading(folder):
        loaded = [np.load(folder / f"{n}.npy") for n in range(len(whole))]
    outputs = jax.tree.unflatten(jax.tree.structure(shapes), loaded)
    row = np.zeros(int(ids.max()) + 1, np.int32)
    row[ids] = np.arange(len(ids), dtype=np.int32)
    return layout.replicate({name: Answers(row, one) for name, one in outputs.items()})


def _hyper(stage: Stage) -> Any:
    """The stage's, or that of any member: what matters here is alike in all."""
    return next(iter(stage.hyper.values())) if stage.program.swept else stage.hyper


def _read(
    plan: Plan, stage: Stage, program: Program, frozen: Mapping[str, NetState]
) -> set[tuple[str, str]]:
    """Network and name of the features that the stage's terms read."""
    shape = plan.data.image_shape
    hyper = _hyper(stage)

    def observe(frozen: Any) -> Observed:
        label = jnp.asarray(plan.data.splits["train"].label[:2])
        image = jnp.zeros((2, *shape), jnp.uint8)
        two = Batch(image, label, jnp.zeros(2, jnp.int32), jnp.ones(2, jnp.float32))
        return step.observe(program, frozen, two, jnp.int32(0), hyper.data_seed)

    def use(observed: Observed, state: Any, key: Any) -> Any:
        return step.learn(program, state, observed, hyper, key)

    def initial(frozen: Any) -> Any:
        networks = fit.initial_networks(program, hyper)
        return step.init_state(program, hyper, networks, frozen, shape)

    state = jax.eval_shape(initial, frozen)
    key = jax.eval_shape(functools.partial(jax.random.key, 0))
    return reads.features(use, jax.eval_shape(observe, frozen), state, key)
