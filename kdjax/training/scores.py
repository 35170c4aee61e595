"""Networks' scores and outputs on a whole split."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from kdjax.step import tasks
from kdjax.step.types import NetState, StageCode
from kdjax.training.feed import Feed
from kdjax.training.layouts import Layout

Score = dict[str, float]


class Predictions(NamedTuple):
    """A network's outputs on a whole split."""

    logits: np.ndarray
    """`[n, k]`."""
    features: dict[str, np.ndarray]
    """`[m, ..]` of the first m examples."""


Evaluate = Callable[[Mapping[str, NetState], Feed], dict[str, Score]]


def make(
    layout: Layout, code: StageCode, batch_size: int, attributes: Sequence[str] = ()
) -> Evaluate:
    """`evaluate(networks, feed)` returns the accuracy and the loss of every network on a split.

    Args:
        layout: a batch is shared among its devices.
        code: the stage that trains the networks.
        batch_size: the number of examples in one step, rounded up to a multiple of the devices; the
            last batch is padded, and padding never counts.
        attributes: their names, where images have attributes in place of classes.
    """
    eval_step = layout.eval_step(code)

    def evaluate(networks: Mapping[str, NetState], feed: Feed) -> dict[str, Score]:
        pieces = [eval_step(dict(networks), *a) for a in batches(feed, batch_size, layout)]
        totals = jax.tree.map(lambda *parts: np.sum(parts, axis=0, dtype=np.float64), *pieces)
        return {name: tasks.means(total, attributes) for name, total in totals.items()}

    return evaluate


def predictions(
    predict_step: Callable[..., Any],
    layout: Layout,
    batch_size: int,
    networks: Mapping[str, NetState],
    feed: Feed,
    *,
    features: int | None = None,
    each: Callable[[int], None] = lambda done: None,
) -> dict[str, Predictions]:
    """Every network's outputs on a whole split, in the split's order.

    Args:
        predict_step: from `Layout.predict_step`.
        layout: as for `make`.
        batch_size: as for `make`.
        networks: by name.
        feed: the split.
        features: the number of examples, the first ones, whose features are kept; None for all.
        each: called with the number of batches that are done.
    """
    limit = feed.count if features is None else min(features, feed.count)
    logits, kept, seen = [], [], 0
    for done, arguments in enumerate(batches(feed, batch_size, layout), start=1):
        outputs = predict_step(dict(networks), *arguments)
        logits.append(jax.device_get({name: output.logits for name, output in outputs.items()}))
        if seen < limit:
            kept.append(jax.device_get({name: output.features for name, output in outputs.items()}))
        seen += len(next(iter(logits[-1].values())))
        each(done)
    all_logits = jax.tree.map(lambda *parts: np.concatenate(parts)[: feed.count], *logits)
    all_kept = jax.tree.map(lambda *parts: np.concatenate(parts)[:limit], *kept)
    return {name: Predictions(all_logits[name], all_kept[name]) for name in all_logits}


def batches(feed: Feed, batch_size: int, layout: Layout) -> Any:
    """A split's batches in its order, of a size that the devices can share."""
    size = min(batch_size, feed.count)
    return feed.evaluation(-(-size // layout.devices) * layout.devices)
