"""Rooms import in one direction, and libraries stay in the rooms that are for them."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from kdjax import commands
from kdjax.config import build
from kdjax.system import config_file

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kdjax"
ROOMS = (
    "app",
    "plots",
    "evaluation",
    "training",
    "runs",
    "interchange",
    "config",
    "terms",
    "models",
    "step",
    "losses",
    "data",
    "system",
)
"""From the top to the bottom: a room imports from rooms below it."""
COMMANDS = [module for module, _ in commands.COMMANDS.values()]


def files(folder=""):
    """The Python files of a folder of the package, by default of all."""
    paths = sorted((PACKAGE / folder).rglob("*.py"))
    assert paths, folder
    return paths


@functools.cache
def imports(path):
    """Dotted names of everything that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reaches(path, *modules):
    """What a file imports from these modules."""
    return {name for name in imports(path) for m in modules if f"{name}.".startswith(f"{m}.")}


def room(path):
    """The room that a file lies in; empty for the package's root."""
    first, *rest = path.relative_to(PACKAGE).parts
    return first if rest else ""


def test_every_folder_is_a_room_of_the_order():
    assert {room(path) for path in files()} == {"", *ROOMS}


def test_the_root_holds_commands_alone():
    modules = {path.stem for path in PACKAGE.glob("*.py")}
    assert modules == {*COMMANDS, "commands", "__init__", "__main__"}


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_from_itself_and_from_rooms_below(name):
    above = ROOMS[: ROOMS.index(name)]
    for path in files(name):
        assert not reaches(path, *(f"kdjax.{module}" for module in (*above, *COMMANDS))), path


def test_losses_import_only_jax_and_optax():
    for path in files("losses"):
        assert imports(path) == reaches(path, "jax", "optax", "typing", "kdjax.losses"), path


def test_measures_are_functions_of_plain_data():
    for path in files("evaluation/measures"):
        assert not reaches(path, "jax", "flax"), path
        assert reaches(path, "kdjax") == reaches(
            path, "kdjax.evaluation.measures", "kdjax.system.discover"
        ), path


def test_one_step_knows_no_config_flags_or_files():
    for path in files("step"):
        assert not reaches(
            path, "ml_collections", "absl", "orbax", "flax", "pathlib", "os", "kdjax.data", "rich"
        ), path


@pytest.mark.parametrize("folder", ["data", "plots/figures"])
def test_data_and_figures_work_without_jax(folder):
    """Nor does anything load it that they import in turn; TensorFlow is loaded to prepare alone."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in files(folder)
        # These run where TFDS prepares data.
        if path.parent.name != "builders"
    ]
    program = f"""
import importlib, sys
for module in {modules}:
    importlib.import_module(module)
print(sorted({{"jax", "tensorflow"}} & set(sys.modules)))
"""
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n"


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("orbax", {"runs"}),
        ("flax", {"models", "terms"}),
        ("grain", {"data", "training"}),
        ("dm_pix", {"step"}),
        ("tensorflow", {"data"}),
        ("tensorflow_datasets", {"data"}),
        ("matplotlib", {"", "plots"}),
        ("jinja2", {"", "plots"}),
        ("safetensors", {"interchange"}),
        ("ml_collections", {"", "config", "evaluation", "runs", "system", "training"}),
        ("absl", {"", "system"}),
    ],
)
def test_a_library_stays_in_its_rooms(library, rooms):
    assert {room(path) for path in files() if reaches(path, library)} <= rooms


@pytest.mark.parametrize("method", config_file.names())
def test_a_config_is_understood_without_defaults_of_the_code(method, monkeypatch):
    """Every key is in the config: `config.get(key, default)` would hide one that is missing."""
    config = config_file.load(f"{method}:digits")

    def get(self, key, default=None):
        raise AssertionError(f"config.get({key!r}) has a default outside the config")

    monkeypatch.setattr(ConfigDict, "get", get)
    assert build.plan(config, devices=1).stages
