"""What is claimed to be equal bit for bit is so through the command line, with real networks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LABEL = "@{}=8@seed=0"
SHARED = (
    "--config.epochs=2",
    "--config.log_every=1",
    "--config.data.fraction=0.4",
    "--config.tensorboard=False",
)


def command(module, *arguments):
    """With the XLA flags of a real run, which decide how sums round."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": os.environ["XLA_FLAGS_OF_RUNS"], "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def logged(directory, stage):
    """Every value of a stage, by step and name."""
    lines = map(json.loads, (directory / "metrics.jsonl").read_text().splitlines())
    return {
        (line["step"], name): value
        for line in lines
        if line["stage"] == stage
        for name, value in line.items()
        if name not in ("step", "stage")
    }


def of_member(name, label):
    """A value's name in the sweep: the label stands behind the network's or the term's name."""
    kind, first, *rest = name.split("/")
    return "/".join([kind, first + label, *rest])


@pytest.mark.parametrize(
    ("config", "key", "compared"),
    [
        ("kd", "temperature", {"teacher": "", "student": LABEL, "baseline": "@seed=0"}),
        pytest.param("at", "temperature", {"student": LABEL}, marks=pytest.mark.slow),
        pytest.param("dml", "gamma", {"peers": LABEL}, marks=pytest.mark.slow),
        pytest.param("online", "temperature", {"together": LABEL}, marks=pytest.mark.slow),
    ],
)
def test_a_member_logs_what_its_own_run_logs(config, key, compared, tmp_path):
    shared = [f"--config=configs/{config}.py", *SHARED]
    sweep, run = tmp_path / "sweep", tmp_path / "run"
    command("kdjax.sweep", *shared, f"--axis={key}=1,8", f"--workdir={sweep}")
    command("kdjax.main", *shared, f"--config.{key}=8", f"--workdir={run}")
    for stage, label in compared.items():
        label = label.format(key)
        own = logged(run, stage)
        of_members = logged(sweep, stage)
        assert len(own) > 20
        different = {
            (step, name): (value, of_members.get((step, of_member(name, label))))
            for (step, name), value in own.items()
            if of_members.get((step, of_member(name, label))) != value
        }
        assert not different
    results = [json.loads((d / "result.json").read_text())["networks"] for d in (run, sweep)]
    for name, figures in results[0].items():
        stage = figures["stage"]
        if stage in compared:
            member = results[1][name + compared[stage].format(key)]
            assert member["last"]["test"] == figures["last"]["test"]


@pytest.mark.slow
@pytest.mark.parametrize("weights", [("kd",), ("at", "beta"), ("hybrid", "feature_weight")])
def test_a_student_whose_teacher_has_no_weight_is_its_baseline(weights, tmp_path):
    config, *more = weights
    command(
        "kdjax.main",
        f"--config=configs/{config}.py",
        *SHARED,
        *(f"--config.{key}=0" for key in ("alpha", *more)),
        f"--workdir={tmp_path}",
    )
    student, baseline = (logged(tmp_path, stage) for stage in ("student", "baseline"))
    for kind in ("train/ce", "train/{}/accuracy", "val/{}/accuracy", "val/{}/loss"):
        taught = [v for (_, name), v in sorted(student.items()) if name == kind.format("student")]
        alone = [v for (_, name), v in sorted(baseline.items()) if name == kind.format("baseline")]
        assert taught == alone
        assert len(taught) > 1
