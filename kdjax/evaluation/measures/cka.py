"""Linear centred kernel alignment of features, which compares any widths.

Kornblith et al., Similarity of Neural Network Representations Revisited, arXiv:1905.00414,
equation 4 with linear kernels.
"""

import numpy as np

from kdjax.evaluation.measures import Column, Values, defined

COLUMNS = {"cka": Column("CKA", ".3f")}
_ROUNDING = 10 * float(np.finfo(np.float32).eps)
"""A feature whose standard deviation is a smaller share of its root mean square is constant."""


def compare_features(student: np.ndarray, teacher: np.ndarray) -> Values:
    """`cka`, `||X^T Y||^2 / (||X^T X|| ||Y^T Y||)` of centred features in Frobenius norms, in
    [0, 1]; None where a network's features are constant but for rounding."""
    x, y = _centred(student), _centred(teacher)
    norm = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return {"cka": defined(np.linalg.norm(x.T @ y) ** 2 / norm) if norm != 0 else None}


def _centred(values: np.ndarray) -> np.ndarray:
    """`[n, c]` less the mean of each feature; 0 for a feature that varies by rounding alone.

    A network computes features in float32, so that even a constant one differs a little between
    batches. Its norm is compared with that of what was taken off.
    """
    centred = values - values.mean(axis=0)
    varies = np.linalg.norm(centred, axis=0) > _ROUNDING * np.linalg.norm(values, axis=0)
    # NaN stays.
    return np.where(varies | np.isnan(centred), centred, 0.0)
