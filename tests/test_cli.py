"""The commands as a user runs them: one line for every error, exit code not 0."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def call(module, *arguments):
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {
        "JAX_PLATFORMS": "cpu"
    }
    return subprocess.run(
        [sys.executable, "-m", f"kdjax.{module}", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/kd.py", "--config.alhpa=0.3"], 'Did you mean "alpha"'),
        (["--config=configs/kd.py", "--config.data.sed=1"], 'Did you mean "seed"'),
        (["--config=configs/kd.py", "--config.epochs=many"], "--config.epochs=many"),
        (["--config=configs/kd.py", "--config.alpha=2"], "config.alpha is 2.0"),
        (["--config=configs/kd.py", "--config.temperature=0"], "config.temperature is 0.0"),
        (["--config=configs/ce.py", "--config.alpha=0.3"], "config.alpha is read by nothing"),
        (["--config=configs/ce.py", "--config.epochs=99999999999999999999"], "at most 2,147,"),
        (["--config=configs/dml.py:digits,peers=1"], "two peers or more"),
        (["--config=configs/dml.py:digits,peers=2,peers=3"], "option peers is given twice"),
        (["--config=configs/dml.py:mnits"], "Did you mean 'mnist'?"),
        (["--config=configs/nothing.py"], "configs/nothing.py"),
        (["--config=README.md"], "SyntaxError"),
        (["--config=configs"], "Is a directory"),
        (["--confg=configs/kd.py"], "confg"),
        (["--config=configs/ce.py:mnist", "--config.data.data_dir=/nowhere"], "kdjax.prepare"),
        ([], "--config=FILE is needed"),
        (["--config=configs/ce.py", "stray"], "unexpected argument 'stray'"),
    ],
    ids=str,
)
def test_wrong_input_is_one_line(tmp_path, arguments, message):
    done = call("main", *arguments, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("kdjax: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("module", ["evaluate", "report"])
def test_a_mistyped_workdir_is_not_made(tmp_path, module):
    done = call(module, f"--workdir={tmp_path / 'nowhere'}")
    assert done.returncode == 2
    assert done.stderr.startswith("kdjax: ")
    assert "is not a workdir" in done.stderr
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("module", ["evaluate", "prepare"])
def test_other_commands_say_which_flag_they_need(module):
    done = call(module)
    assert done.returncode == 2
    assert done.stderr.startswith("kdjax: --")
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_is_quick():
    call("main", "--help")
    began = time.perf_counter()
    done = call("main", "--help")
    assert time.perf_counter() - began < 3
    assert done.returncode == 0
    assert "--workdir" in done.stdout


@pytest.mark.slow
def test_the_second_launch_compiles_a_tenth_of_the_first(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "xla"))
    seconds = []
    for name in ("first", "second"):
        done = call("main", "--config=configs/dml.py", f"--workdir={tmp_path / name}")
        assert done.returncode == 0, done.stderr
        result = json.loads((tmp_path / name / "result.json").read_text())
        seconds.append(result["last_start"]["compile_seconds"])
    assert seconds[1] <= seconds[0] / 10


def test_train_interrupt_resume_evaluate(tmp_path):
    """The two commands on real digits; SIGTERM in the middle saves."""
    workdir = tmp_path / "run"
    command = [
        "--config=configs/dml.py:digits,baseline=0",
        "--config.networks.peer_0.model=plain.plain2",
        "--config.networks.peer_1.model=plain.plain2",
        "--config.log_every=1",
        "--config.data.fraction=0.5",
        "--config.checkpoint_every_epochs=10",
        f"--workdir={workdir}",
    ]
    running = subprocess.Popen(
        [sys.executable, "-m", "kdjax.main", *command, "--config.epochs=20"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = workdir / "metrics.jsonl"
    for _ in range(1200):
        if metrics.exists() and len(metrics.read_text().splitlines()) > 5:
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "run the same command again to go on" in errors

    refused = call("main", *command, "--config.epochs=2")
    assert refused.returncode == 2
    assert "epochs is 20 there and 2 here" in refused.stderr

    done = call("main", *command, "--config.epochs=20")
    assert done.returncode == 0, done.stderr
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert sorted(set(steps)) == list(range(1, 221))
    assert "peer_1" in done.stdout
    result = json.loads((workdir / "result.json").read_text())
    evaluated = call("evaluate", f"--workdir={workdir}")
    assert evaluated.returncode == 0, evaluated.stderr
    figures = json.loads((workdir / "evaluation.json").read_text())["networks"]
    for name in ("peer_0", "peer_1"):
        assert figures[name]["accuracy"] == result["networks"][name]["test"]["accuracy"]
