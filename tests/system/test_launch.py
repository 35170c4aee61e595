"""`./launch.sh` without arguments, shortened: a teacher, then students and baselines."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Installs nothing, and makes both commands shorter: the last of several equal flags counts.
PYTHON = """#!/bin/sh
case "$2" in
    pip) exit 0 ;;
    kdjax.main) set -- "$@" --config.epochs=2 --workdir={folder}/teacher ;;
    kdjax.sweep) set -- "$@" --config.epochs=8 --seeds=2 --workdir={folder}/students \\
        --config.networks.teacher.workdir={folder}/teacher ;;
esac
exec {python} "$@"
"""


def test_the_first_job_ends_with_a_sentence_and_again_at_once(tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.format(folder=tmp_path, python=sys.executable))
    python.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"} | {
        "JAX_PLATFORMS": "cpu",
        "KDJAX_VENV": str(tmp_path / "venv"),
        "PYTHON": sys.executable,
    }

    def launch():
        return subprocess.run(
            ["./launch.sh"], cwd=ROOT, env=environment, capture_output=True, text=True
        )

    first = launch()
    assert first.returncode == 0, first.stderr
    settings = json.loads((tmp_path / "students" / "sweep.json").read_text())["settings"]
    assert [(one["network"], one["seeds"]) for one in settings] == [
        ("student", [0, 1]),
        ("baseline", [0, 1]),
    ]
    restored = json.loads((tmp_path / "students" / "result.json").read_text())["restored"]
    assert list(restored) == ["teacher"]
    tables, sentence = first.stdout.strip().rsplit("\n", 1)
    assert re.search(r"teacher +│ +439,338", tables)
    mean = f"the student reaches {settings[0]['mean']:.2f} % test accuracy"
    assert sentence.startswith(f"Trained on 30 images (the teacher: on 1,439), {mean}")
    assert "epoch 8/8" in first.stderr

    again = launch()
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert "epoch" not in again.stderr
