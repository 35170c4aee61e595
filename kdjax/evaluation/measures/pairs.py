"""How alike two networks are: predictions and features on the same examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from kdjax.evaluation.measures import numeric

_ROUNDING = 10 * float(np.finfo(np.float32).eps)
"""A feature whose standard deviation is a smaller share of its root mean square is constant."""


def predictions(logits: np.ndarray, teacher: np.ndarray, *, attributes: bool) -> dict[str, Any]:
    """Fidelity of a student to a teacher.

    Stanton et al., Does Knowledge Distillation Really Work?, arXiv:2106.05945, equations 3 and 4:
    agreement of predictions, and the divergence of predicted distributions.

    Args:
        logits: `[n, k]` of the student.
        teacher: `[n, k]` of the teacher.
        attributes: whether k are attributes, each with its own probability, not classes.

    Returns:
        `kl`: KL(teacher || student) at temperature 1 in nats, the mean over examples (and over
        attributes); `agreement`: the share of equal predictions; `logit_cosine`: the mean over
        examples of the cosine between the logits, those of classes less their mean, which no
        prediction depends on. NaN logits predict nothing, which agrees with nothing; a mean that
        they enter is None.
    """
    logits, teacher = np.asarray(logits, np.float64), np.asarray(teacher, np.float64)
    alike = agreement(decisions(logits, attributes), decisions(teacher, attributes))
    if attributes:
        kl = _bernoulli_kl(logits, teacher)
        return {"kl": kl, "agreement": alike, "logit_cosine": _cosine(logits, teacher)}
    log_s, log_t = special.log_softmax(logits, axis=1), special.log_softmax(teacher, axis=1)
    centred = [x - x.mean(axis=1, keepdims=True) for x in (logits, teacher)]
    return {
        "kl": numeric.known((np.exp(log_t) * (log_t - log_s)).sum(axis=1).mean()),
        "agreement": alike,
        "logit_cosine": _cosine(*centred),
    }


def decisions(logits: np.ndarray, attributes: bool) -> np.ndarray:
    """`[n]` predicted classes, or `[n, k]` whether each attribute is predicted; NaN for neither."""
    made = logits > 0 if attributes else logits.argmax(axis=1)
    unknown = np.isnan(logits) if attributes else np.isnan(logits).any(axis=1)
    return np.where(unknown, np.nan, made)


def _bernoulli_kl(logits: np.ndarray, teacher: np.ndarray) -> float | None:
    yes_s, yes_t = special.log_expit(logits), special.log_expit(teacher)
    no_s, no_t = special.log_expit(-logits), special.log_expit(-teacher)
    return numeric.known((np.exp(yes_t) * (yes_t - yes_s) + np.exp(no_t) * (no_t - no_s)).mean())


def matrix(logits: Sequence[np.ndarray], *, attributes: bool) -> list[list[float]]:
    """The agreement of every network `[n, k]` with every other one."""
    made = [decisions(np.asarray(one), attributes) for one in logits]
    return [[agreement(one, other) for other in made] for one in made]


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """The share of equal predictions; NaN equals nothing."""
    return float((one == other).mean())


def features(student: np.ndarray, teacher: np.ndarray) -> dict[str, float | None]:
    """Similarity of two networks' features on the same examples.

    Args:
        student: `[n, c]`.
        teacher: `[n, d]`.

    Returns:
        `cosine`: the mean over examples of the cosine between both, None where c and d differ or
        a network has nothing but zeros; `cka`: linear centred kernel alignment in [0, 1], which
        compares any widths (Kornblith et al., arXiv:1905.00414, equation 4 with linear kernels),
        None where a network's features are all alike but for rounding.
    """
    student, teacher = np.asarray(student, np.float64), np.asarray(teacher, np.float64)
    return {"cosine": _cosine(student, teacher), "cka": linear_cka(student, teacher)}


def _cosine(student: np.ndarray, teacher: np.ndarray) -> float | None:
    if student.shape != teacher.shape:
        return None
    norms = np.linalg.norm(student, axis=1) * np.linalg.norm(teacher, axis=1)
    if not norms.any():
        return None
    cosines = numeric.share((student * teacher).sum(axis=1), norms)
    return numeric.known(cosines[norms != 0].mean())


def linear_cka(one: np.ndarray, other: np.ndarray) -> float | None:
    """`||X^T Y||^2 / (||X^T X|| ||Y^T Y||)` of centred features, in Frobenius norms."""
    x, y = _centred(one), _centred(other)
    norm = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return numeric.known(np.linalg.norm(x.T @ y) ** 2 / norm) if norm != 0 else None


def _centred(values: np.ndarray) -> np.ndarray:
    """`[n, c]` less the mean of each feature; 0 for a feature that varies by rounding alone.

    A network computes features in float32, so that even a constant one differs a little between
    batches. Its norm is compared with that of what was taken off.
    """
    centred = values - values.mean(axis=0)
    varies = np.linalg.norm(centred, axis=0) > _ROUNDING * np.linalg.norm(values, axis=0)
    # NaN stays.
    return np.where(varies | np.isnan(centred), centred, 0.0)
