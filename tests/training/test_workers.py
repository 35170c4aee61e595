"""Worker processes of a real run: interrupted, resumed and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def start(directory, *arguments):
    """A streaming run in a session of its own, as in a terminal, with one worker process."""
    command = [sys.executable, "-m", "kdjax.main", "--config=configs/ce.py"]
    shared_flags = [
        "--config.data.input=streaming",
        "--config.epochs=60",
        "--config.tensorboard=False",
    ]
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return subprocess.Popen(
        [*command, *shared_flags, f"--workdir={directory}", *arguments],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def wait_for_epoch(directory):
    path = directory / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (path.exists() and "val/" in path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def group(pid):
    """Processes of a session that are alive."""
    alive = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == pid and fields[0] != "Z":
            alive.append(int(entry.name))
    return alive


@pytest.fixture
def shared():
    before = set(os.listdir("/dev/shm"))
    return lambda: set(os.listdir("/dev/shm")) - before


def gone(pid, shared):
    deadline = time.monotonic() + 20
    while group(pid) or shared():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_by_the_terminal_and_resumed(tmp_path, shared, number):
    run = start(tmp_path / "run")
    wait_for_epoch(tmp_path / "run")
    os.killpg(run.pid, number)
    _, errors = run.communicate(timeout=60)
    assert "stopped and saved" in errors
    assert "Traceback" not in errors
    assert gone(run.pid, shared)
    done = start(tmp_path / "run")
    assert done.wait(timeout=300) == 0
    whole = start(tmp_path / "whole", "--config.data.input=resident")
    assert whole.wait(timeout=300) == 0
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("run", "whole")]
    assert lines[0] == lines[1]
    results = [json.loads((tmp_path / n / "result.json").read_text()) for n in ("run", "whole")]
    assert results[0]["networks"] == results[1]["networks"]
    assert np.isfinite(results[0]["networks"]["student"]["test"]["loss"])


def test_nothing_outlives_a_run_that_is_killed(tmp_path, shared):
    run = start(tmp_path / "run")
    wait_for_epoch(tmp_path / "run")
    assert len(group(run.pid)) > 1
    run.kill()
    run.communicate()
    assert gone(run.pid, shared)
