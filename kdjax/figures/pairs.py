"""How alike two networks are: predictions and features on the same examples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kdjax.figures import numeric


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
        prediction depends on.
    """
    logits, teacher = np.asarray(logits, np.float64), np.asarray(teacher, np.float64)
    alike = agreement(decisions(logits, attributes), decisions(teacher, attributes))
    if attributes:
        kl = _bernoulli_kl(logits, teacher)
        return {"kl": kl, "agreement": alike, "logit_cosine": _cosine(logits, teacher)}
    log_s, log_t = numeric.log_softmax(logits), numeric.log_softmax(teacher)
    centred = [x - x.mean(axis=1, keepdims=True) for x in (logits, teacher)]
    return {
        "kl": float((np.exp(log_t) * (log_t - log_s)).sum(axis=1).mean()),
        "agreement": alike,
        "logit_cosine": _cosine(*centred),
    }


def decisions(logits: np.ndarray, attributes: bool) -> np.ndarray:
    """`[n]` predicted classes, or `[n, k]` whether each attribute is predicted."""
    return logits > 0 if attributes else logits.argmax(axis=1)


def _bernoulli_kl(logits: np.ndarray, teacher: np.ndarray) -> float:
    yes_s, yes_t = numeric.log_sigmoid(logits), numeric.log_sigmoid(teacher)
    no_s, no_t = numeric.log_sigmoid(-logits), numeric.log_sigmoid(-teacher)
    return float((np.exp(yes_t) * (yes_t - yes_s) + np.exp(no_t) * (no_t - no_s)).mean())


def matrix(logits: Sequence[np.ndarray], *, attributes: bool) -> list[list[float]]:
    """The agreement of every network `[n, k]` with every other one."""
    made = [decisions(np.asarray(one), attributes) for one in logits]
    return [[agreement(one, other) for other in made] for one in made]


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """The share of equal predictions."""
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
        None where a network's features are all alike.
    """
    student, teacher = np.asarray(student, np.float64), np.asarray(teacher, np.float64)
    return {"cosine": _cosine(student, teacher), "cka": linear_cka(student, teacher)}


def _cosine(student: np.ndarray, teacher: np.ndarray) -> float | None:
    if student.shape != teacher.shape:
        return None
    norms = np.linalg.norm(student, axis=1) * np.linalg.norm(teacher, axis=1)
    if not norms.any():
        return None
    return float(numeric.share((student * teacher).sum(axis=1), norms)[norms > 0].mean())


def linear_cka(one: np.ndarray, other: np.ndarray) -> float | None:
    """`||X^T Y||^2 / (||X^T X|| ||Y^T Y||)` of centred features, in Frobenius norms."""
    x, y = one - one.mean(axis=0), other - other.mean(axis=0)
    norm = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(x.T @ y) ** 2 / norm) if norm > 0 else None
