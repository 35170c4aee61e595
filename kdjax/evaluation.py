"""Exact figures of networks over a whole split."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from kdjax import feed, metrics
from kdjax.data import orders
from kdjax.data.types import Split
from kdjax.parallel import Parallel
from kdjax.types import NetState

Score = dict[str, float]
Evaluate = Callable[[Mapping[str, NetState], Split], dict[str, Score]]


def make(eval_step: Callable[..., Any], parallel: Parallel, batch_size: int) -> Evaluate:
    """`evaluate(networks, split)`: accuracy and loss of every network on a split on the devices.

    Args:
        eval_step: compiled, from `Parallel.eval_step`.
        parallel: how arguments are laid out.
        batch_size: examples in one step, rounded up to a multiple of the devices; the last batch
            is padded, and padding never counts.
    """

    def evaluate(networks: Mapping[str, NetState], split: Split) -> dict[str, Score]:
        size = min(batch_size, len(split.id))
        order = orders.evaluation(len(split.id), -(-size // parallel.devices) * parallel.devices)
        epoch = parallel.replicate(feed.epoch(order, 0))
        pieces = [
            eval_step(dict(networks), split, epoch, np.int32(position))
            for position in range(len(order))
        ]
        totals = jax.tree.map(lambda *parts: float(sum(map(float, parts))), *pieces)
        return {name: metrics.means(total) for name, total in totals.items()}

    return evaluate
