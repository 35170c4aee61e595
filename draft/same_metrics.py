"""Trains every config shortly on digits and records metrics.jsonl, for a comparison of two trees.

    python draft/same_metrics.py record OUT.json          in the tree to record
    python draft/same_metrics.py compare A.json B.json    lines that differ, bit for bit

Times are left out. Sweeps of kd and dml are recorded as well, every member's metrics.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

SHORT = ["--config.epochs=2", "--config.data.fraction=0.3", "--config.log_every=1"]
ARGUMENTS = {
    "assistants": ["digits"],
    "at": ["digits"],
    "born_again": ["digits"],
    "ce": ["digits"],
    "dml": ["digits", "digits,peers=3"],
    "fitnet": ["digits"],
    "fsp": ["digits"],
    "hybrid": ["digits"],
    "kd": ["digits"],
    "nuclear": ["digits"],
    "online": ["digits"],
    "teacher_free": ["digits", "digits,virtual=1", "digits,smoothing=1"],
    "two_phase": ["digits", "digits,keep_teacher=1"],
}
EXTRA = {
    "kd temperature schedule": [
        "--config=configs/kd.py",
        "--config.temperature_schedule.kind=cosine",
        "--config.temperature_schedule.end=1.0",
        "--config.temperature_schedule.finish=1.5",
        "--config.alpha_schedule.kind=linear",
        "--config.alpha_schedule.end=0.1",
        "--config.alpha_schedule.finish=2.0",
    ],
    "kd pmap": ["--config=configs/kd.py", "--config.parallel=pmap"],
    "kd two steps": ["--config=configs/kd.py", "--config.steps_per_call=2"],
    "kd cache": ["--config=configs/kd.py", "--config.teacher_cache=True", "--config.data.views=2"],
    "kd clip": [
        "--config=configs/kd.py",
        "--config.stages.student.optimiser.clip_norm=0.5",
        "--config.stages.student.optimiser.kind=sgd",
        "--config.stages.student.optimiser.nesterov=True",
        "--config.stages.student.optimiser.decay_all=True",
        "--config.stages.student.optimiser.learning_rate.kind=steps",
        "--config.stages.student.optimiser.learning_rate.boundaries=(1,)",
        "--config.stages.student.optimiser.learning_rate.rate=0.1",
    ],
}
SWEEPS = {
    "kd": ["--axis=temperature=1,4", "--axis=alpha=0.1,0.9", "--seeds=1"],
    "dml": ["--axis=learning_rate=0.001,0.003", "--seeds=2"],
}
TIMES = ("seconds", "per_second", "time")


def lines(workdir):
    return {
        str(path.relative_to(workdir)): [
            {k: v for k, v in json.loads(line).items() if not any(t in k for t in TIMES)}
            for line in path.read_text().splitlines()
        ]
        for path in sorted(Path(workdir).rglob("metrics.jsonl"))
    }


def run(name, command, record):
    with tempfile.TemporaryDirectory() as workdir:
        done = subprocess.run(
            [sys.executable, "-m", *command, f"--workdir={workdir}/w", "--config.tensorboard=False"],
            capture_output=True,
            text=True,
        )
        record[name] = lines(workdir) if done.returncode == 0 else done.stderr[-800:]
        print(name, done.returncode, sum(map(len, record[name].values())) if not done.returncode else record[name], flush=True)


def main():
    if sys.argv[1] == "record":
        record = {}
        for config, arguments in ARGUMENTS.items():
            for argument in arguments:
                name = f"{config}:{argument}"
                run(name, ["kdjax.main", f"--config=configs/{config}.py:{argument}", *SHORT], record)
        for name, flags in EXTRA.items():
            run(name, ["kdjax.main", *flags, *SHORT], record)
        for config, flags in SWEEPS.items():
            for mode in ("separate", "vmap"):
                run(
                    f"sweep {config} {mode}",
                    ["kdjax.sweep", f"--config=configs/{config}.py", *flags, f"--mode={mode}", *SHORT],
                    record,
                )
        Path(sys.argv[2]).write_text(json.dumps(record))
        return
    a, b = (json.loads(Path(p).read_text()) for p in sys.argv[2:4])
    for name in sorted(set(a) | set(b)):
        same = a.get(name) == b.get(name) and isinstance(a.get(name), dict)
        count = sum(map(len, a[name].values())) if isinstance(a.get(name), dict) else 0
        print(f"{name:32} {'equal' if same else 'DIFFERENT'} {count} lines")


main()
