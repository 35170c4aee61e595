"""Expected calibration error and the reliability diagram.

Guo et al., On Calibration of Modern Neural Networks, arXiv:1706.04599, equation 3: the mean
distance of accuracy from confidence over bins of equal width, weighted by examples. Of attributes
every single answer counts; its confidence is that of the likelier one. scikit-learn's
`calibration_curve` does not say how many examples are in a bin.
"""

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values

BINS = 15
COLUMNS = {"calibration_error": Column("ECE", note="ECE: expected calibration error.")}


def measure(prediction: Prediction, label: np.ndarray) -> Values:
    """`calibration_error`, in [0, 1], and its `reliability`: the same as `error`, and for each bin
    `confidence` and `accuracy` (None where it is empty) and `count`. What has no prediction is in
    no bin."""
    confidence = np.exp(prediction.log_probabilities.max(axis=-1))
    known = ~np.isnan(confidence)
    confidence, right = confidence[known], (prediction.decisions == label)[known]
    # Each bin is closed above.
    index = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    count, sure, hits = (
        np.bincount(index, weights, BINS) for weights in (None, confidence, right.astype(float))
    )
    error = float(np.abs(sure - hits).sum() / max(len(confidence), 1))

    def means(total: np.ndarray) -> list[float | None]:
        return [float(t / n) if n else None for t, n in zip(total, count, strict=True)]

    reliability = {
        "error": error,
        "confidence": means(sure),
        "accuracy": means(hits),
        "count": count.tolist(),
    }
    return {"calibration_error": error, "reliability": reliability}
