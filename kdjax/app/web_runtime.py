"""Finds onnxruntime-web, with which browsers run networks, and copies what pages need of it."""

import json
import os
import shutil
from pathlib import Path

from kdjax.runs.writers import make_folder, writing
from kdjax.system.errors import UserError

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
_SERIES = VERSION.rpartition(".")[0]
"""Later series may name their files otherwise."""
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_LICENCE = Path(__file__).parent / "static" / "runtime" / "LICENSE.txt"
"""The package has no copy of its licence's text."""


def folders() -> list[Path]:
    """The folders in which npm may have installed the package, in the order of the search."""
    named = os.environ.get("KDJAX_WEB")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "kdjax" / "web"
    return [Path(named).expanduser()] if named else [Path(), cache]


def find() -> Path:
    """The folder with the files of `FILES`.

    Raises:
        UserError: the package is not installed, or in a version of another series; says what to do.
    """
    other = ""
    for folder in folders():
        package = folder / "node_modules" / PACKAGE
        version = _version(package)
        there = all((package / "dist" / name).is_file() for name in FILES)
        if version.startswith(f"{_SERIES}.") and there:
            return package / "dist"
        if version and not other:
            other = f"{package} has version {version}, and pages need {_SERIES}; "
    command = f"npm install --prefix {folders()[-1]} {PACKAGE}@{VERSION}"
    raise UserError(f"{other}browsers run networks with {PACKAGE}: {command}")


def _version(package: Path) -> str:
    """The version of an installed package; empty where there is none."""
    try:
        description = json.loads((package / "package.json").read_text())
        return str(description["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def copy(folder: Path) -> None:
    """Copies the files that pages load into a folder, and the licence with them."""
    source = find()
    make_folder(folder)
    with writing(folder):
        for path in (*(source / name for name in FILES), _LICENCE):
            shutil.copyfile(path, folder / path.name)
