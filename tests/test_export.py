"""`kdjax export` as a command: a table, two files, and one line for every error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("one_device")


def call(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kdjax", "export", *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )


def test_it_prints_a_table_and_writes_a_file_and_its_record(two_phases, tmp_path):
    pytest.importorskip("safetensors", reason="needs requirements/export.txt")
    path = tmp_path / "peer.safetensors"
    done = call(
        f"--workdir={two_phases[0]}",
        "--network=peer_1",
        "--format=safetensors",
        "--notiming",
        f"--output={path}",
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(path.with_name("peer.safetensors.json").read_text())
    accuracy = two_phases[1]["networks"]["peer_1"]["test"]["accuracy"]
    assert [row["accuracy"] for row in record["rows"][:2]] == [accuracy, accuracy]
    assert f"{accuracy:.2%}" in done.stdout
    assert "Compared on 179 test images" in done.stdout
    assert "teacher" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--workdir=DIR is needed"),
        (["--workdir=none"], "none is not a workdir"),
        (["--workdir=none", "student"], "unexpected argument 'student'"),
    ],
    ids=str,
)
def test_errors_are_one_line(arguments, message):
    done = call(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("kdjax: ")
    assert message in line
