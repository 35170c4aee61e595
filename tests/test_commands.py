"""`kdjax COMMAND` runs a command, and other modules refuse to run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdjax import commands

ROOT = Path(__file__).parent.parent


def call(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("name", [[], ["trian"]], ids=str)
def test_without_a_command_the_commands_are_listed(name):
    done = call("-m", "kdjax", *name)
    assert done.returncode == 2
    assert all(f"\n  {command}" in done.stderr for command in commands.COMMANDS)
    assert ("did you mean train?" in done.stderr) == bool(name)


def test_help_lists_the_commands():
    done = call("-m", "kdjax", "--help")
    assert done.returncode == 0
    assert all(f"\n  {command}" in done.stdout for command in commands.COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-m", "kdjax.step.predict", "image.png"],
        ["-m", "kdjax.plots.drawing.style"],
        ["-m", "kdjax.data", "--help"],
        ["-mkdjax.losses.ce"],
    ],
    ids=str,
)
def test_a_library_module_is_no_command(arguments):
    """Otherwise it would end with code 0 without doing anything."""
    done = call(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert all(command in line for command in commands.COMMANDS)


def test_importing_the_package_in_a_program_of_another_name_changes_nothing(tmp_path):
    """Also where that program is run by `python -m`, from a package that imports kdjax."""
    package = tmp_path / "program"
    package.mkdir()
    (package / "__init__.py").write_text("import kdjax")
    (package / "tool.py").write_text("import kdjax.system.errors; print('ran')")
    done = subprocess.run(
        [sys.executable, "-m", "program.tool", "kdjax.step.predict"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "ran\n")


@pytest.mark.parametrize("command", commands.COMMANDS)
def test_a_command_is_its_module(command):
    """The same flags and the same refusals."""
    module = f"kdjax.{commands.COMMANDS[command][0]}"
    by_name, by_module = call("-m", "kdjax", command, "--help"), call("-m", module, "--help")
    assert by_name.returncode == by_module.returncode == 0
    assert "flags:" in by_name.stdout
    assert by_name.stdout == by_module.stdout
