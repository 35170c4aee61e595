"""The files of a folder, a zip or a tar, read in the order in which they lie there.

Nothing is unpacked to disk. Reading in storage order keeps compressed tars to one pass.
"""

import hashlib
import json
import tarfile
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from kdjax.data import cache
from kdjax.data.types import Request
from kdjax.errors import UserError
from kdjax.progress import track

_HIDDEN = ("__MACOSX", "Thumbs.db")


def listing(path: Path) -> tuple[list[str], list[str]]:
    """Names of all files and of all folders, with `/` between parts, hidden ones left out.

    Args:
        path: a folder, a zip or a tar.

    Raises:
        UserError: nothing is there, it is damaged or of another kind, or has a name twice.
    """
    files: list[str] = []
    folders: set[str] = set()
    for name, is_folder in _names(path):
        parts = name.strip("/").split("/")
        if any(part.startswith(".") or part in _HIDDEN for part in parts if part != "."):
            continue
        parts = [part for part in parts if part != "."]
        if is_folder:
            folders.add("/".join(parts))
        else:
            files.append("/".join(parts))
        for depth in range(1, len(parts)):
            folders.add("/".join(parts[:depth]))
    for name, times in Counter(files).items():
        if times > 1:
            raise UserError(f"{path} has {times} files of the name {name}; keep one")
    return sorted(files), sorted(folders - {""})


def contents(path: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the `wanted` files, in storage order.

    Raises:
        UserError: the archive is damaged; names the file that could not be read.
    """
    wanted = set(wanted)
    if path.is_dir():
        for name in sorted(wanted):
            yield name, (path / name).read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
                name = _clean(entry.filename)
                if name in wanted:
                    try:
                        yield name, archive.read(entry)
                    except (zipfile.BadZipFile, OSError, EOFError) as error:
                        raise UserError(f"{path}: {name} is damaged: {error}") from error
    else:
        name = "its beginning"
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    name = _clean(member.name)
                    if member.isfile() and name in wanted:
                        file = tar.extractfile(member)
                        assert file is not None
                        yield name, file.read()
        except (tarfile.TarError, OSError, EOFError) as error:
            raise UserError(f"{path} is damaged after {name}: {error}") from error


def digest(path: Path, names: Collection[str]) -> str:
    """A short text that changes with the files of a folder, or with an archive."""
    files = [path / name for name in names] if path.is_dir() else [path]
    listed = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    content = json.dumps([str(path.resolve()), listed])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def write_split(
    folder: Path,
    *,
    path: Path,
    part: str,
    names: Sequence[str],
    label: np.ndarray,
    request: Request,
) -> None:
    """Decodes the files `names`, one for each row of `label`, into the arrays of a split."""
    rows = {name: row for row, name in enumerate(names)}
    found = track(contents(path, names), len(names), f"decoding {part}")
    encoded = ((rows[name], f"{path}: {name}", content) for name, content in found)
    cache.write_split(folder, label, request, encoded)


def _names(path: Path) -> Iterator[tuple[str, bool]]:
    if path.is_dir():
        for entry in path.rglob("*"):
            yield entry.relative_to(path).as_posix(), entry.is_dir()
        return
    if not path.exists():
        raise UserError(f"{path} does not exist")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    yield info.filename, info.is_dir()
        else:
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.isfile() or member.isdir():
                        yield member.name, member.isdir()
    except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError) as error:
        raise UserError(f"{path} is no folder, zip or tar that can be read: {error}") from error


def _clean(name: str) -> str:
    return "/".join(part for part in name.strip("/").split("/") if part != ".")
