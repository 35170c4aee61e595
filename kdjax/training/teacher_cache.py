"""Frozen networks' outputs on every training image, computed once and kept on disk.

Where the views of an image repeat, so do a teacher's outputs. They are kept in half precision, in a
folder named after everything that they depend on: the program that computes them (architecture,
normalisation, augmentation, the features that are read), the networks' variables, the images, and
the seed and number of the views.
"""

import contextlib
import functools
import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.config.plan import Plan, Stage
from kdjax.data import cache
from kdjax.runs import restore
from kdjax.step.types import CachedOutputs, NetState
from kdjax.system import runtime
from kdjax.system.errors import UserError
from kdjax.system.progress import Bar
from kdjax.training import scores
from kdjax.training.feed import Feed
from kdjax.training.layouts import Layout

_VERSION = "answers-1"


def cached_outputs(
    plan: Plan, layout: Layout, train: Feed, stage: Stage, frozen: Mapping[str, NetState]
) -> dict[str, CachedOutputs]:
    """The outputs of a stage's frozen networks, on the devices.

    Raises:
        UserError: the outputs do not fit the devices, or the disk.
    """
    code, ids = stage.code.member, plan.data.splits["train"].id
    hyper = next(iter(stage.hyper.values())) if stage.code.swept else stage.hyper
    cache_step = layout.cache_step(code)
    batches = functools.partial(scores.batches, train, plan.eval_batch_size, layout)

    with contextlib.closing(batches()) as first_batches:
        first = frozen, hyper, jnp.int32(0), *next(first_batches)
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((code.views, len(ids), *x.shape[1:]), x.dtype),
        jax.eval_shape(cache_step, *first),
    )
    leaves, structure = jax.tree.flatten(shapes)
    nbytes = sum(2 * math.prod(x.shape) for x in leaves)
    if not runtime.fits(nbytes, jax.local_devices()[0]):
        raise UserError(
            f"the teachers' outputs that stage {stage.name!r} reads take {nbytes / 2**30:.1f} GiB, "
            "too much for a device; lower config.data.views, or set config.teacher_cache=False"
        )
    dependencies = (
        cache_step.lower(*first).as_text(),
        *(restore.digest(state) for _, state in sorted(frozen.items())),
        plan.data.source,
        plan.data.content,
        hashlib.sha256(ids.tobytes()).hexdigest(),
        str((plan.data_seed, code.views)),
    )
    key = hashlib.sha256("\n".join(dependencies).encode()).hexdigest()[:32]
    folder = cache.root(plan.data_dir) / "kdjax" / _VERSION / key

    def write(folder: Path) -> None:
        """Computes the outputs of every view, and saves each array as a file."""
        arrays = [
            cache.allocate(folder / f"{n}.npy", x.shape, x.dtype) for n, x in enumerate(leaves)
        ]
        with Bar(f"{stage.name}: teachers' outputs", code.views * len(ids)) as bar:
            for view in range(code.views):
                done = 0
                with contextlib.closing(batches()) as all_batches:
                    for batch in all_batches:
                        outputs = cache_step(frozen, hyper, jnp.int32(view), *batch)
                        parts = jax.tree.leaves(outputs)
                        # The last batch is padded.
                        end = min(done + len(parts[0]), len(ids))
                        for array, values in zip(arrays, parts, strict=True):
                            array[view, done:end] = values[: end - done]
                        done = end
                        bar.to(view * len(ids) + done)

    cache.ensure_folder(folder, write, "teachers' outputs")
    with cache.report_damage(folder):
        arrays = [np.load(folder / f"{n}.npy") for n in range(len(leaves))]
    row = np.zeros(int(ids.max()) + 1, np.int32)
    row[ids] = np.arange(len(ids), dtype=np.int32)
    outputs = jax.tree.unflatten(structure, arrays)
    return layout.replicate({name: CachedOutputs(row, output) for name, output in outputs.items()})
