"""Means, spreads and paired intervals against SciPy's own test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments import repeat
from kdjax.system.errors import UserError

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


def test_a_record_goes_to_the_workdir_and_nothing_to_the_source(tmp_path):
    """From another folder, with `~`; `--results` names another place."""
    root = Path(__file__).parents[2]
    before = {path.name for path in (root / "experiments" / "results").iterdir()}
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"} | {
        "PYTHONPATH": str(root),
        "JAX_PLATFORMS": "cpu",
        "HOME": str(tmp_path / "home"),
    }
    command = [
        *(sys.executable, "-m", "experiments.repeat", "--config=ce", "--seeds=0"),
        *("--workdir=~/runs", "--name=tiny", "--config.networks.student.model=plain.plain2"),
        *("--config.epochs=1", "--config.data.fraction=0.1", "--config.tensorboard=False"),
    ]
    (tmp_path / "there").mkdir()
    for more, where in ([], "home/runs"), (["--results=records"], "there/records"):
        done = subprocess.run(
            [*command, *more],
            cwd=tmp_path / "there",
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        record = json.loads((tmp_path / where / "tiny.json").read_text())
        assert set(record["summary"]) == {"student"}
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"records"}
    assert {path.name for path in (root / "experiments" / "results").iterdir()} == before


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
