"""Means over seeds, and the differences that a number of paired seeds can show."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats

_ROUNDING = 1e-9
"""Differences that vary by a smaller share of the values are equal but for rounding."""


class Paired(NamedTuple):
    """Differences of two methods run with the same seeds."""

    mean: float
    interval: tuple[float, float] | None
    """95 % confidence interval of the mean, Student's t; None where all differences are equal,
    because a spread of 0 over a few seeds does not say that there is none."""
    detectable: float | None
    """The smallest true mean difference that this many seeds, with this spread, would have shown
    four times in five; None where the interval is None."""


def paired(measures: Sequence[float], baseline: Sequence[float]) -> Paired | None:
    """How much the measures of `[n]` seeds are above a baseline's of the same seeds; None for a
    single seed.

    Raises:
        ValueError: their numbers of seeds differ.
    """
    if len(measures) != len(baseline):
        raise ValueError(f"{len(measures)} measures against {len(baseline)}: they are not paired")
    if len(measures) < 2:
        return None
    values = np.asarray([measures, baseline], np.float64)
    difference = values[0] - values[1]
    mean = float(difference.mean())
    if np.ptp(difference) <= _ROUNDING * np.abs(values).max():
        return Paired(mean, None, None)
    low, high = stats.ttest_1samp(difference, 0.0).confidence_interval(0.95)
    freedom = len(difference) - 1
    bound = stats.t.ppf(0.975, freedom)
    # In standard errors: where the t-test at 5 % shows a difference in 80 % of all cases.
    shift = optimize.brentq(lambda x: stats.nct.sf(bound, freedom, x) - 0.8, 0.0, 100.0)
    return Paired(mean, (float(low), float(high)), float(shift * stats.sem(difference)))


def uncertainty(seeds: int) -> tuple[float, float]:
    """Between which multiples of its true value `detectable` lies, nine times in ten.

    It is proportional to the standard deviation of the differences, whose estimate from n normal
    values is chi / sqrt(n - 1) times the truth, with n - 1 degrees of freedom.
    """
    low, high = stats.chi.ppf([0.05, 0.95], seeds - 1, scale=1 / np.sqrt(seeds - 1))
    return float(low), float(high)


def difference_text(difference: Mapping[str, Any] | None) -> str:
    """A `Paired` as JSON holds it, with its interval; nothing for None."""
    if difference is None:
        return ""
    if difference["interval"] is None:
        return f"{difference['mean']:+.2f} [unknown]"
    low, high = difference["interval"]
    return f"{difference['mean']:+.2f} [{low:+.2f}, {high:+.2f}]"


def detectable_text(difference: Mapping[str, Any] | None, seeds: int) -> str:
    """The smallest detectable difference, to as many digits as the number of seeds allows."""
    if difference is None:
        return ""
    value = difference["detectable"]
    if value is None:
        return "unknown"
    return f"about {float(f'{value:.1g}'):g}" if _rough(seeds) else f"{value:.2f}"


def notes(differences: Sequence[Mapping[str, Any] | None], seeds: int) -> str:
    """Sentences below a table of these texts."""
    known = [difference for difference in differences if difference is not None]
    sentences = []
    if any(difference["detectable"] is not None for difference in known) and _rough(seeds):
        low, high = uncertainty(seeds)
        sentences.append(
            f"What is detectable is rough: of {seeds} seeds the estimate is nine times in ten "
            f"between {low:.2f} and {high:.2f} times the true value."
        )
    if any(difference["interval"] is None for difference in known):
        sentences.append(
            "Unknown: every seed has the same difference, so its spread cannot be told."
        )
    return " ".join(sentences)


def _rough(seeds: int) -> bool:
    """Whether `detectable` may well be off by more than a factor of two."""
    low, high = uncertainty(seeds)
    return low < 0.5 or high > 2.0


def deviation(values: Sequence[float]) -> float | None:
    """The sample's standard deviation; None for a single value."""
    return float(np.std(np.asarray(values, np.float64), ddof=1)) if len(values) > 1 else None
