"""What the figures are computed with."""

from typing import Any

import numpy as np


def known(value: float | np.floating[Any]) -> float | None:
    """A measure, or None where NaN or infinite values went into it."""
    return float(value) if np.isfinite(value) else None


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part / whole`, 0 where there is nothing to divide by."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int) -> dict[str, Any]:
    """Accuracy against confidence in bins of equal width, each closed above.

    Args:
        confidence: `[n]` in [0, 1].
        right: `[n]` whether the prediction was.
        bins: how many.

    Returns:
        `error`, the mean distance of both weighted by examples; and for each bin `confidence` and
        `accuracy` (None where it is empty) and `count`.
    """
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(index, minlength=bins)
    sure = np.bincount(index, weights=confidence, minlength=bins)
    hits = np.bincount(index, weights=right.astype(np.float64), minlength=bins)
    error = float(np.abs(sure - hits).sum() / max(len(confidence), 1))

    def means(total: np.ndarray) -> list[float | None]:
        return [float(t / n) if n else None for t, n in zip(total, count, strict=True)]

    return {
        "error": error,
        "confidence": means(sure),
        "accuracy": means(hits),
        "count": count.tolist(),
    }
