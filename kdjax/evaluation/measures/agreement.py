"""Agreement: the share of equal predictions, of attributes among all single ones.

Stanton et al., Does Knowledge Distillation Really Work?, arXiv:2106.05945, equation 3. What has no
prediction agrees with nothing.
"""

from collections.abc import Sequence

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values

COLUMNS = {"agreement": Column("agreement")}


def compare(student: Prediction, teacher: Prediction) -> Values:
    """`agreement` of two networks on the same images."""
    return {"agreement": float((student.decisions == teacher.decisions).mean())}


def matrix(predictions: Sequence[Prediction]) -> list[list[float]]:
    """The agreement of every network with every other one."""
    decisions = np.stack([prediction.decisions for prediction in predictions])
    return [[float((row == other).mean()) for other in decisions] for row in decisions]


def disputed(decisions: np.ndarray) -> np.ndarray:
    """`[n]`: whether networks disagree about an image, or about one of its attributes.

    `decisions` are `[networks, n]` or `[networks, n, k]`.
    """
    differ = (decisions != decisions[0]).any(axis=0)
    return differ.reshape(len(differ), -1).any(axis=1)
