"""Means, spreads and paired intervals against SciPy's own test."""

import numpy as np
import pytest
from scipy import stats

from experiments import repeat
from kdjax.errors import UserError

STUDENT, BASELINE = [0.91, 0.93, 0.95, 0.92], [0.90, 0.90, 0.94, 0.92]


def results():
    return [
        {"networks": {"student": {"test": {"accuracy": s}}, "baseline": {"test": {"accuracy": b}}}}
        for s, b in zip(STUDENT, BASELINE, strict=True)
    ]


def test_summary_is_scipys():
    summary = repeat.summarise(results())
    student = 100 * np.array(STUDENT)
    assert summary["student"]["mean"] == pytest.approx(student.mean())
    assert summary["student"]["deviation"] == pytest.approx(stats.tstd(student))
    interval = stats.ttest_rel(student, 100 * np.array(BASELINE)).confidence_interval(0.95)
    paired = summary["student"]["against_baseline"]
    assert paired["mean"] == pytest.approx(1.25)
    assert paired["interval"] == pytest.approx([interval.low, interval.high])
    assert "against_baseline" not in summary["baseline"]


def test_one_seed_has_no_spread():
    assert repeat.summarise(results()[:1])["student"]["deviation"] is None


@pytest.mark.parametrize("texts", [[], ["a"], ["0", "0"], ["-1"], ["1.5"]])
def test_seeds_are_different_whole_numbers(texts):
    with pytest.raises(UserError, match="different whole numbers"):
        repeat.parse_seeds(texts)


def test_the_table_says_what_cannot_be_known(capsys):
    same = [
        {
            "networks": {
                "student": {"test": {"accuracy": b + 0.01}},
                "baseline": {"test": {"accuracy": b}},
            }
        }
        for b in BASELINE[:2]
    ]
    for found, shown in ((same, "+1.00 [unknown]"), (results()[:3], "about")):
        record = {
            "seeds": list(range(len(found))),
            "summary": repeat.summarise(found),
            "training_seconds": [{"student": 1.0}],
        }
        repeat.show("name", record)
        assert shown in capsys.readouterr().out
