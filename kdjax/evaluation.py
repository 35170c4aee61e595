"""Exact figures of networks over a whole split."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from kdjax import metrics
from kdjax.feed import Feed
from kdjax.parallel import Parallel
from kdjax.types import NetState

Score = dict[str, float]
Evaluate = Callable[[Mapping[str, NetState], Feed], dict[str, Score]]


def make(
    eval_step: Callable[..., Any],
    parallel: Parallel,
    batch_size: int,
    attributes: Sequence[str] = (),
) -> Evaluate:
    """`evaluate(networks, feed)`: accuracy and loss of every network on a split.

    Args:
        eval_step: compiled, from `Parallel.eval_step`.
        parallel: how arguments are laid out.
        batch_size: examples in one step, rounded up to a multiple of the devices; the last batch
            is padded, and padding never counts.
        attributes: their names, where images have attributes in place of classes.
    """

    def evaluate(networks: Mapping[str, NetState], feed: Feed) -> dict[str, Score]:
        size = min(batch_size, feed.count)
        steps = feed.evaluation(-(-size // parallel.devices) * parallel.devices)
        pieces = [eval_step(dict(networks), *arguments) for arguments in steps]
        totals = jax.tree.map(_sum, *pieces)
        return {name: metrics.means(total, attributes) for name, total in totals.items()}

    return evaluate


def _sum(*parts: jax.Array) -> np.ndarray:
    return np.sum([np.asarray(part, np.float64) for part in parts], axis=0)
