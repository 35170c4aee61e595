"""Cross-entropy of predictions with the labels; attributes: binary, the mean over attributes."""

import numpy as np

from kdjax.evaluation.measures import Column, Prediction, Values, defined

COLUMNS = {"loss": Column("cross-entropy", ".4f", "Cross-entropy in nats.")}


def measure(prediction: Prediction, label: np.ndarray) -> Values:
    """`loss`, the mean over images in nats; None where it is not finite."""
    log_p = np.take_along_axis(prediction.log_probabilities, label[..., None], axis=-1)
    return {"loss": defined(-log_p.mean())}
