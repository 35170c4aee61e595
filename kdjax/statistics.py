"""Means over seeds, and what a number of paired seeds can show."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats


class Paired(NamedTuple):
    """Differences of two methods run with the same seeds."""

    mean: float
    interval: tuple[float, float]
    """95 % confidence interval of the mean, Student's t."""
    detectable: float
    """The smallest true mean difference that this many seeds, with this spread, would have shown
    four times in five."""


def paired(one: Sequence[float], other: Sequence[float]) -> Paired | None:
    """How much `one` is above `other`, seed by seed; None for a single seed.

    Args:
        one: `[n]` figures, one for each seed.
        other: `[n]` figures of the same seeds.

    Raises:
        ValueError: they are not of the same number of seeds.
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} figures against {len(other)}: they are not paired")
    if len(one) < 2:
        return None
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    freedom = len(difference) - 1
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    mean, reach = float(difference.mean()), float(stats.t.ppf(0.975, freedom) * error)
    return Paired(mean, (mean - reach, mean + reach), float(_shift(freedom) * error))


def _shift(freedom: int) -> float:
    """How many standard errors a mean must be off 0 for the t-test at 5 % to see it in 80 %."""
    bound = stats.t.ppf(0.975, freedom)
    return float(optimize.brentq(lambda x: stats.nct.sf(bound, freedom, x) - 0.8, 0.0, 100.0))


def deviation(values: Sequence[float]) -> float | None:
    """The sample's standard deviation; None for a single value."""
    return float(np.std(np.asarray(values, np.float64), ddof=1)) if len(values) > 1 else None
