"""Test images to look at, and what networks predicted of them when they were evaluated."""

from collections.abc import Sequence

import numpy as np

from kdjax.data import splits
from kdjax.evaluation import measures
from kdjax.evaluation.measures import agreement
from kdjax.evaluation.run_evaluation import Evaluation

_TELLING = 3
"""One image of so many is chosen because networks disagree about it, or are all wrong."""


def choose(evaluation: Evaluation, networks: Sequence[str], count: int) -> dict[str, list[int]]:
    """Places of images in the split, `count` at most.

    Returns:
        `spread`: a stratified draw. `telling`: the first images beside them on which networks
        disagree; then images on which all of them are wrong, until both are a third of all.
    """
    label = evaluation.split.label
    # A lower rank is an earlier place in the draw from its class.
    rank = splits.ranks(splits.strata(label), evaluation.plan.data_seed, "app")
    order = np.argsort(rank, kind="stable")
    decisions = evaluation.decisions(networks)
    differ, wrong = agreement.disputed(decisions), _all_wrong(decisions, label)
    interesting = [*np.flatnonzero(differ), *np.flatnonzero(wrong & ~differ)]
    telling = interesting[: count // _TELLING]
    spread = [place for place in order if place not in set(telling)][: count - len(telling)]
    return {"spread": [*map(int, spread)], "telling": [*map(int, telling)]}


def _all_wrong(decisions: np.ndarray, label: np.ndarray) -> np.ndarray:
    """`[n]`: whether every network is wrong, about the class or about some attribute."""
    wrong = decisions != label
    return wrong.reshape(*wrong.shape[:2], -1).any(axis=2).all(axis=0)


def probabilities(logits: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """`[n, k]` probabilities of classes or of attributes, in float64."""
    logs = measures.prediction(logits, multi_label=multi_label).log_probabilities
    return np.exp(logs[..., 1] if multi_label else logs)
