"""Paired differences against SciPy's own test, and against simulation."""

import numpy as np
import pytest
from scipy import stats

from kdjax import statistics

STUDENT, BASELINE = [91.0, 93.0, 95.0, 92.0], [90.0, 90.0, 94.0, 92.0]


def test_interval_is_scipys():
    found = statistics.paired(STUDENT, BASELINE)
    interval = stats.ttest_rel(STUDENT, BASELINE).confidence_interval(0.95)
    assert found.mean == pytest.approx(1.25)
    assert found.interval == pytest.approx((interval.low, interval.high))


def test_what_is_called_detectable_is_seen_four_times_in_five():
    rng = np.random.default_rng(0)
    sample = rng.normal(size=10)
    sample = (sample - sample.mean()) / sample.std(ddof=1)
    shift = statistics.paired(sample, [0.0] * 10).detectable
    trials = rng.normal(shift, size=(50_000, 10))
    seen = stats.ttest_1samp(trials, 0.0, axis=1).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


def test_one_seed_shows_nothing():
    assert statistics.paired([1.0], [0.0]) is None
    assert statistics.deviation([1.0]) is None
    assert statistics.deviation(STUDENT) == pytest.approx(stats.tstd(STUDENT))


def test_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="3 figures against 4"):
        statistics.paired(STUDENT[:3], BASELINE)
