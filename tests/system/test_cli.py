"""The commands as a user runs them: one line for every error, exit code not 0."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def call(module, *arguments, package="kdjax", cwd=ROOT, **environment):
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", f"{package}.{module}", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=configs/kd.py", "--config.alhpa=0.3"], "did you mean config.alpha?"),
        (["--config=kd", "--config.data.sed=1"], "did you mean config.data.seed?"),
        (["--config=kd", "--config.tensorboard=maybe"], "to boolean flag, maybe"),
        (["--config=kd", "--config.epochs=99999999999999999999"], "at most 2,147,483,647"),
        (["--config=configs/kd.py:tfds/"], "tfds/: TFDS refuses the name"),
        (["--config=configs/kd.py", "--config.epochs=many"], "takes a whole number, not many"),
        (["--config=configs/kd.py", "--config.alpha=2"], "config.alpha is 2; it must be in [0, 1]"),
        (
            ["--config=configs/kd.py", "--config.temperature=0"],
            "config.temperature is 0; it must be in [0.0001, 10000]",
        ),
        (["--config=configs/ce.py", "--config.alpha=0.3"], "config.alpha is read by nothing"),
        (["--config=configs/ce.py", "--config.epochs=99999999999999999999"], "at most 2,147,"),
        (["--config=configs/dml.py:digits,peers=1"], "two peers or more"),
        (["--config=configs/dml.py:digits,peers=2,peers=3"], "option peers is given twice"),
        (["--config=configs/dml.py:mnits"], "Did you mean 'mnist'?"),
        (["--config=configs/nothing.py"], "--config=configs/nothing.py: there is no such file"),
        (["--config=configs"], "unknown config 'configs'"),
        (["--confg=configs/kd.py"], "confg"),
        (["--config=configs/ce.py:mnist", "--config.data.data_dir=/nowhere"], "kdjax.prepare"),
        (["--config.epochs=3"], "--config.epochs needs --config=NAME or --config=FILE ahead of it"),
        (["--config.alpha=1", "--config=dml"], "kdjax: put --config=... first"),
        (["--config=kd", "--epochs=3"], "unknown flag --epochs; did you mean --config.epochs?"),
        (["--config=kd", "--confg.data.seed=3"], "did you mean --config.data.seed?"),
        (["--config=kd", "--config.epochs=1.5"], "--config.epochs takes a whole number, not 1.5"),
        (["--config=kd", "--config.epochs=0"], "config.epochs is 0; it must be"),
        ([], "--config=NAME or --config=FILE is needed"),
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


def test_an_own_config_that_fails_is_a_line_and_its_own_frames(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def get_config(argument=''):\n    return helper()\ndef helper():\n    1 / 0\n")
    done = call("main", f"--config={path}")
    assert done.returncode == 2
    first, *frames = done.stderr.splitlines()
    assert first.startswith(f"kdjax: {path}, line 4: ")
    assert first.endswith("ZeroDivisionError: division by zero")
    assert [line for line in frames if "File" in line] == [
        f'  File "{path}", line 2, in get_config',
        f'  File "{path}", line 4, in helper',
    ]


FOLDERS = [
    ("main", ["workdir"]),
    ("evaluate", ["workdir", "output", "data_dir", "path"]),
    ("report", ["workdir", "output", "data_dir", "path"]),
    ("prepare", ["manual_dir", "path", "data_dir", "sheet"]),
]


@pytest.mark.parametrize(
    ("module", "flag"), [(module, flag) for module, names in FOLDERS for flag in names]
)
def test_a_folder_with_an_empty_name_is_refused(tmp_path, module, flag):
    done = call(module, f"--{flag}=", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"kdjax: flag --{flag}=: it is empty; name a file or folder")
    assert len(done.stderr.splitlines()) == 1


def test_home_is_expanded_in_every_flag(tmp_path):
    """The shell leaves `--flag=~/x` as it is."""
    home = tmp_path / "home"
    data = "--data_dir=~/data", "--sheet=~/sheet/digits.png"
    done = call("prepare", "--dataset=digits", *data, cwd=tmp_path, HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert (home / "sheet" / "digits.png").exists()
    done = call("prepare", "--dataset=mnist", "--manual_dir=~/no", cwd=tmp_path, HOME=str(home))
    assert f"--manual_dir={home}/no is not a folder" in done.stderr
    done = call("evaluate", "--workdir=~/no", cwd=tmp_path, HOME=str(home))
    assert f"{home}/no is not a workdir" in done.stderr
    assert not (tmp_path / "~").exists()


WARNS = """
import logging
import sys
import warnings
from PIL import Image
from kdjax.system import cli

def main():
    palette = Image.new("P", (2, 2))
    palette.info["transparency"] = b"\\x00" * 256
    palette.convert("RGB")
    logging.getLogger("PIL.Image").warning("said by Pillow")
    logging.getLogger("matplotlib.font_manager").warning("said by matplotlib")
    logging.getLogger("jax").warning("said by JAX")
    warnings.warn("said by the user")

cli.launch(main, lambda: None)
"""


@pytest.mark.parametrize("asked", [False, True])
def test_libraries_warnings_are_shown_to_those_who_ask(tmp_path, asked):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "warns.py").write_text(WARNS)
    asking = {"PYTHONWARNINGS": "default"} if asked else {}
    done = call("warns", package="own", cwd=tmp_path, **asking)
    assert done.returncode == 0, done.stderr
    assert ("Palette images with Transparency" in done.stderr) == asked
    assert "said by the user" in done.stderr
    assert "said by JAX" in done.stderr
    assert "said by Pillow" not in done.stderr
    assert "said by matplotlib" not in done.stderr


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


@pytest.mark.parametrize(
    ("package", "module", "names"),
    [
        ("kdjax", "sweep", ["config", "workdir", "axis", "seeds", "mode", "together"]),
        ("kdjax", "report", ["workdir", "images", "layers", "step", "split", "[no]timing", "path"]),
        ("experiments", "repeat", ["config", "seeds", "workdir", "name", "results"]),
    ],
)
def test_help_shows_every_flag_also_those_of_modules_that_a_command_calls(package, module, names):
    done = call(module, "--help", package=package)
    assert done.returncode == 0
    for name in names:
        assert f"\n  --{name}: " in done.stdout
    # And none of those that are of no use.
    assert "verbosity" not in done.stdout


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


def test_a_setting_that_another_one_hides_is_no_unread_one(tmp_path):
    """A weight of 0 hides its factor; what is read is a matter of the config, not of values."""
    settings = ["--config.alpha=0", "--config.gamma=2", "--config.epochs=1"]
    command = ["--config=dml:digits,baseline=0", *settings, "--config.data.fraction=0.1"]
    done = call("main", *command, f"--workdir={tmp_path}")
    assert done.returncode == 0, done.stderr
