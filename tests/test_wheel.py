"""What pip installs, by itself: every command, from another folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALL = [
    "--config.epochs=1",
    "--config.batch_size=32",
    "--config.data.fraction=0.1",
    "--config.tensorboard=False",
    "--config.networks.student.model=plain.plain2",
]
OWN = """
from configs import ce

def get_config(argument=""):
    config = ce.get_config(argument)
    config.method = "own"
    return config
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that pip has installed kdjax into, without what it depends on."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "installed"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt"):
        shutil.copy(ROOT / name, source)
    for name in ("requirements", "kdjax", "configs", "experiments", "tests", "docs"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", f"--target={target}"]
    subprocess.run([*install, *offline, str(source)], check=True)
    return target


def files(folder):
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {path.relative_to(folder) for path in paths}


def test_it_holds_every_file_of_kdjax_and_configs_and_no_other(installed):
    for name in ("kdjax", "configs"):
        assert files(installed / name) == files(ROOT / name)
    folders = {path.name for path in installed.iterdir()}
    assert {name.split("-")[0] for name in folders} == {"bin", "kdjax", "configs"}


def test_it_names_its_licence_and_brings_the_text(installed):
    (information,) = installed.glob("kdjax-*.dist-info")
    assert "License-Expression: Apache-2.0\n" in (information / "METADATA").read_text()
    licence = (information / "licenses" / "LICENSE").read_text()
    assert licence == (ROOT / "LICENSE").read_text()


def test_every_command_from_another_folder(installed, tmp_path):
    """The folder has a package `configs` of its own, first on the path of `python -m`."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "__init__.py").write_text("raise RuntimeError('of another project')")
    (tmp_path / "configs" / "mine.py").write_text(OWN)
    environment = os.environ | {
        "PYTHONPATH": str(installed),
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        # One device, and no more time for compiling than the other tests take.
        "XLA_FLAGS": os.environ["XLA_FLAGS"].replace("device_count=8", "device_count=1"),
    }

    def call(*command):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kdjax(*arguments):
        return call(str(installed / "bin" / "kdjax"), *arguments)

    where = call(sys.executable, "-c", "import kdjax; print(kdjax.__file__)")
    assert where.startswith(str(installed))
    assert "1,439 train" in kdjax("prepare", "--dataset=digits", "--data_dir=data")
    config = "--config=configs/mine.py:digits"
    module = [sys.executable, "-m", "kdjax.main"]
    assert "own on digits" in call(*module, config, *SMALL, "--workdir=own")
    swept = kdjax("sweep", "--config=ce", *SMALL, "--seeds=2", "--workdir=swept")
    assert "means over 2 seeds" in swept
    kdjax("evaluate", "--workdir=own", "--notiming")
    evaluation = json.loads((tmp_path / "own" / "evaluation.json").read_text())
    assert set(evaluation["networks"]) == {"student"}
    page = kdjax("report", "--workdir=own", "--notiming", "--images=0").split()[0]
    assert (tmp_path / page).read_text().startswith("<!doctype html>")
