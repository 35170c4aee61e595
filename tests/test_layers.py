"""Rooms import in one direction, and libraries stay in the rooms that are for them."""

import ast
from pathlib import Path

import pytest

from kdjax import commands

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kdjax"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = (
    "plots",
    "evaluation",
    "training",
    "runs",
    "config",
    "terms",
    "models",
    "step",
    "losses",
    "data",
    "system",
)
"""From the top to the bottom: a room imports from rooms below it."""


def imports(path):
    """Dotted names of everything that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def reaches(path, name):
    return any(i == name or i.startswith(f"{name}.") for i in imports(path))


def room(path):
    """The room that a file lies in; empty for the package's root."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def rooms_that_import(library):
    return {room(path) for path in FILES if reaches(path, library)}


def test_every_folder_is_a_room_of_the_order():
    assert {room(path) for path in FILES} == {"", *ROOMS}


def test_the_root_holds_commands_alone():
    known = {module for module, _ in commands.COMMANDS.values()}
    assert {path.stem for path in PACKAGE.glob("*.py")} == {
        *known,
        "commands",
        "__init__",
        "__main__",
    }


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_imports_from_itself_and_from_rooms_below(name):
    above = [other for other in ROOMS if ROOMS.index(other) < ROOMS.index(name)]
    commands_ = [f"kdjax.{module}" for module, _ in commands.COMMANDS.values()]
    for path in FILES:
        if room(path) == name:
            for other in [*(f"kdjax.{one}" for one in above), *commands_]:
                assert not reaches(path, other), (path, other)


def test_losses_import_only_jax_and_optax():
    for path in FILES:
        if room(path) == "losses":
            assert all(name.split(".")[0] in ("jax", "optax") for name in imports(path)), path


def test_one_step_knows_no_config_flags_or_files():
    forbidden = ("ml_collections", "absl", "orbax", "flax", "pathlib", "os", "kdjax.data", "rich")
    for path in FILES:
        if room(path) == "step":
            assert not [name for name in forbidden if reaches(path, name)], path


@pytest.mark.parametrize("name", ["data", "plots"])
def test_data_and_pictures_are_free_of_jax(name):
    for path in FILES:
        if room(path) == name:
            assert not reaches(path, "jax"), path


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        ("orbax", {"runs"}),
        ("flax", {"models", "terms"}),
        ("grain", {"data", "training"}),
        ("dm_pix", {"step"}),
        ("tensorflow", {""}),
        ("tensorflow_datasets", {"", "data"}),
        ("matplotlib", {"", "plots"}),
        ("ml_collections", {"", "config", "runs", "system", "training"}),
        ("absl", {"", "system"}),
    ],
)
def test_a_library_stays_in_its_rooms(library, rooms):
    assert rooms_that_import(library) <= rooms


def test_measures_are_functions_of_plain_data():
    paths = [*(PACKAGE / "evaluation" / "measures").glob("*.py")]
    assert paths
    for path in paths:
        assert not reaches(path, "jax")
        own = ("kdjax.evaluation.measures", "kdjax.system")
        assert not [i for i in imports(path) if i.startswith("kdjax.") and not i.startswith(own)]


def test_stages_of_a_config_are_read_where_configs_are_understood():
    """Others hand a config on, or copy single values into the record."""
    for path in FILES:
        text = path.read_text()
        if "config.stages" in text or "config.terms" in text:
            assert room(path) in ("config", "system"), path


def test_no_config_get_with_a_default():
    for path in [*FILES, *(ROOT / "configs").glob("*.py")]:
        assert "config.get(" not in path.read_text(), path
