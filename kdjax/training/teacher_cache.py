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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.config.plan import Plan, Stage
from kdjax.data import cache
from kdjax.runs import restore
from kdjax.step import pruning
from kdjax.step.types import CachedOutputs, NetState
from kdjax.system import runtime
from kdjax.system.errors import UserError
from kdjax.system.progress import Bar
from kdjax.training import outline, scores
from kdjax.training.feed import Feed
from kdjax.training.layouts import Layout

_VERSION = "answers-1"


def answers(
    plan: Plan, layout: Layout, train: Feed, stage: Stage, frozen: Mapping[str, NetState]
) -> dict[str, CachedOutputs]:
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
    made = outline.of(plan, stage, frozen)
    ids = plan.data.splits["train"].id
    work = _Work(
        layout.answer_step(made.code),
        frozen,
        tuple(sorted(pruning.features(made.learn, made.observed, made.state, made.key))),
        made.hyper.data_seed,
        made.code.views,
        functools.partial(scores.batches, train, plan.eval_batch_size, layout),
        len(ids),
    )
    first = work.first()
    outputs = work.shapes(first)
    nbytes = sum(2 * math.prod(one.shape) for one in jax.tree.leaves(outputs))
    if not runtime.fits(nbytes, jax.local_devices()[0]):
        raise UserError(
            f"the answers that stage {stage.name!r} reads take {nbytes / 2**30:.1f} GiB, too much "
            "for a device; lower config.data.views, or set config.teacher_cache=False"
        )
    known = (
        work.step.lower(*first).as_text(),
        *(restore.digest(state) for _, state in sorted(frozen.items())),
        plan.data.source,
        plan.data.content,
        hashlib.sha256(ids.tobytes()).hexdigest(),
        str((plan.data_seed, made.code.views)),
    )
    key = hashlib.sha256("\n".join(known).encode()).hexdigest()[:32]
    folder = cache.root(plan.data_dir) / "kdjax" / _VERSION / key
    cache.whole(folder, functools.partial(_write, work, outputs, stage.name), "teachers' answers")
    leaves, structure = jax.tree.flatten(outputs)
    with cache.reading(folder):
        loaded = [np.load(folder / f"{n}.npy") for n in range(len(leaves))]
    row = np.zeros(int(ids.max()) + 1, np.int32)
    row[ids] = np.arange(len(ids), dtype=np.int32)
    found = jax.tree.unflatten(structure, loaded)
    return layout.replicate({name: CachedOutputs(row, one) for name, one in found.items()})


class _Work(NamedTuple):
    """The computation of answers."""

    step: Any
    """As `predict.make_answer_step` has it, compiled."""
    frozen: Mapping[str, NetState]
    read: tuple[tuple[str, str], ...]
    """Network and name of the features that are kept."""
    data_seed: Any
    views: int
    batches: Callable[[], Any]
    """Every training image once, as the step takes them; to be closed."""
    examples: int

    def of(self, view: int, batch: Sequence[Any]) -> tuple[Any, ...]:
        """The step's arguments."""
        return self.frozen, self.read, self.data_seed, jnp.int32(view), *batch

    def first(self) -> tuple[Any, ...]:
        """Those of the first batch."""
        with contextlib.closing(self.batches()) as found:
            return self.of(0, next(found))

    def shapes(self, arguments: tuple[Any, ...]) -> Any:
        """Of all outputs, `[views, examples, ..]`, from any batch's arguments."""
        one = jax.eval_shape(self.step, *arguments)
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((self.views, self.examples, *x.shape[1:]), x.dtype), one
        )


def _write(work: _Work, outputs: Any, name: str, folder: Path) -> None:
    """Computes and saves all answers, of the shapes of `outputs`, an array a file."""
    arrays = [
        cache.allocate(folder / f"{n}.npy", x.shape, x.dtype)
        for n, x in enumerate(jax.tree.leaves(outputs))
    ]
    total, written = work.views * work.examples, 0
    with Bar(f"{name}: teachers' answers", total, 0) as bar:
        for view in range(work.views):
            done = 0
            with contextlib.closing(work.batches()) as found:
                for batch in found:
                    made = jax.tree.leaves(work.step(*work.of(view, batch)))
                    # The last batch is padded.
                    end = min(done + len(made[0]), work.examples)
                    for array, part in zip(arrays, made, strict=True):
                        array[view, done:end] = part[: end - done]
                    written, done = written + end - done, end
                    bar.to(written)
