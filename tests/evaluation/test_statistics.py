"""Paired differences against tables of Student's t, and against simulation."""

import numpy as np
import pytest
from scipy import stats

from kdjax.evaluation import statistics

STUDENT, BASELINE = [91.0, 93.0, 95.0, 92.0], [90.0, 90.0, 94.0, 92.0]


def test_interval_is_students():
    """Of the differences 1, 3, 1 and 0; a table has 3.1824 for t(3) at 97.5 %."""
    difference = statistics.paired(STUDENT, BASELINE)
    assert difference.mean == pytest.approx(1.25)
    reach = 3.1824 * np.sqrt((0.25**2 + 1.75**2 + 0.25**2 + 1.25**2) / 3) / np.sqrt(4)
    assert difference.interval == pytest.approx((1.25 - reach, 1.25 + reach), rel=1e-4)


def test_what_is_called_detectable_is_seen_four_times_in_five():
    rng = np.random.default_rng(0)
    sample = rng.normal(size=10)
    sample = (sample - sample.mean()) / sample.std(ddof=1)
    shift = statistics.paired(sample, [0.0] * 10).detectable
    trials = rng.normal(shift, size=(50_000, 10))
    seen = stats.ttest_1samp(trials, 0.0, axis=1).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("other", [[90.0, 91.0, 92.0], [90.1, 91.1, 92.1], [88.3, 89.3, 90.3]])
def test_equal_differences_have_no_interval(other):
    """They differ by rounding at most, which is no spread."""
    found = statistics.paired([90.1, 91.1, 92.1], other)
    assert found.mean == pytest.approx(90.1 - other[0])
    assert found.interval is None
    assert found.detectable is None
    assert statistics.difference_text(found._asdict()) == f"{found.mean:+.2f} [unknown]"
    assert statistics.detectable_text(found._asdict(), 3) == "unknown"
    assert "cannot be told" in statistics.notes([None, found._asdict()], 3)


@pytest.mark.parametrize("seeds", [2, 3, 6, 7, 20])
def test_how_far_off_what_is_detectable_can_be(seeds):
    rng = np.random.default_rng(0)
    deviations = rng.normal(size=(100_000, seeds)).std(axis=1, ddof=1)
    expected = np.quantile(deviations, [0.05, 0.95])
    assert statistics.uncertainty(seeds) == pytest.approx(expected, abs=0.01)
    difference = statistics.paired(STUDENT, BASELINE)._asdict() | {"detectable": 0.4271}
    rough = seeds <= 6
    text = statistics.detectable_text(difference, seeds)
    assert text == ("about 0.4" if rough else "0.43")
    low, high = statistics.uncertainty(seeds)
    said = f"between {low:.2f} and {high:.2f} times the true value"
    assert (said in statistics.notes([difference], seeds)) == rough


def test_at_three_seeds_it_is_rough():
    low, high = statistics.uncertainty(3)
    assert (round(low, 3), round(high, 3)) == (0.226, 1.731)


def test_one_seed_shows_nothing():
    assert statistics.paired([1.0], [0.0]) is None
    assert statistics.deviation([1.0]) is None
    assert statistics.deviation(STUDENT) == pytest.approx(stats.tstd(STUDENT))


def test_unequal_numbers_are_refused():
    with pytest.raises(ValueError, match="3 measures against 4"):
        statistics.paired(STUDENT[:3], BASELINE)
