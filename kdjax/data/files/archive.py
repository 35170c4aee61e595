"""The files of a folder, a zip or a tar, read in the order in which they are stored.

Nothing is unpacked to disk. Reading in storage order takes one pass over a compressed tar.
"""

import hashlib
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from kdjax.data import cache
from kdjax.data.files import images
from kdjax.data.types import Request, Split
from kdjax.system import errors
from kdjax.system.errors import UserError
from kdjax.system.progress import console, track

_HIDDEN = ("__MACOSX", "Thumbs.db")
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    # An encrypted file, or a compression that Python does not know.
    RuntimeError,
    NotImplementedError,
)


class _Entry(NamedTuple):
    """A file or folder below a folder or in an archive."""

    name: str
    is_folder: bool
    read: Callable[[], bytes]


def listing(path: Path) -> tuple[list[str], list[str]]:
    """Names of all files and of all folders, with `/` between their parts, without hidden ones.

    Args:
        path: a folder, a zip or a tar.

    Raises:
        UserError: `path` does not exist, is damaged or of another kind; or a name occurs twice,
            leads outside or is not UTF-8.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist")
    files: list[str] = []
    folders: set[str] = set()
    try:
        for entry in _entries(path):
            _check_name(path, entry.name)
            name = PurePosixPath(entry.name)
            if any(part.startswith(".") or part in _HIDDEN for part in name.parts):
                continue
            if entry.is_folder:
                folders.add(str(name))
            else:
                files.append(str(name))
            folders.update(map(str, name.parents))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the name {error.object!r} is not UTF-8; rename it") from error
    except _DAMAGE as error:
        # tarfile's own message lists every format that it tried.
        reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        raise UserError(f"{path} is no folder, zip or tar that can be read{reason}") from error
    for file, times in Counter(files).items():
        if times > 1:
            raise UserError(f"{path} has {times} files of the name {file}; keep one")
    return sorted(files), sorted(folders - {"."})


def contents(path: Path, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the files `names`, in storage order.

    Raises:
        UserError: a file cannot be read, or the archive is damaged.
    """
    remaining, name = set(names), "its beginning"
    if not remaining:
        return
    try:
        for entry in _entries(path):
            name = str(PurePosixPath(entry.name))
            if name in remaining and not entry.is_folder:
                yield name, entry.read()
                remaining.remove(name)
                if not remaining:
                    return
    except _DAMAGE as error:
        raise UserError(f"{path}: cannot read {name} or what follows it: {error}") from error


def digest(path: Path, names: Collection[str]) -> str:
    """A short text that changes with the sizes and times of a folder's files, or of an archive."""
    files = []
    for name in names if path.is_dir() else [""]:
        try:
            stat = (path / name).stat()
        except OSError as error:
            raise UserError(f"cannot read {path / name}: {error.strerror}") from error
        files.append((name, stat.st_size, stat.st_mtime_ns))
    content = json.dumps([str(path.resolve()), files])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def without_strays(path: Path, names: Sequence[str]) -> list[str]:
    """The images among the files `names`; a line on the console says which files are none.

    A file with an image's suffix counts as an image: if it cannot be read, it is a broken image.
    Other files are judged by their contents.
    """
    unsure = [name for name in names if PurePosixPath(name).suffix.lower() not in images.suffixes()]
    strays = {name for name, content in contents(path, unsure) if not images.is_image(content)}
    if strays:
        what = "file is no image and is" if len(strays) == 1 else "files are no images and are"
        console.print(
            f"{path}: {len(strays)} {what} left out: {errors.listed(sorted(strays), 3)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return [name for name in names if name not in strays]


def read_splits(
    cache_folder: Path,
    path: Path,
    parts: Mapping[str, tuple[Sequence[str], np.ndarray]],
    request: Request,
) -> tuple[dict[str, Split], str]:
    """The result of `cache.read_splits` for images that are files of a folder, a zip or a tar.

    `parts` has, for each split, the names of its files and a label for each file.
    """

    def open_part(part: str) -> cache.Part:
        names, label = parts[part]
        rows = {name: row for row, name in enumerate(names)}
        files = track(contents(path, names), len(names), f"decoding {part}")
        return label, (cache.Encoded(rows[name], f"{path}: {name}", file) for name, file in files)

    return cache.read_splits(cache_folder, parts, open_part, request)


def _check_name(path: Path, name: str) -> None:
    full_name = f"{path}/{name}"
    try:
        full_name.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{os.fsencode(full_name)!r}: this name is not UTF-8; rename it") from error
    if name.startswith("/") or ".." in name.split("/"):
        raise UserError(
            f"{path}: the name {name!r} leads outside the archive; pack it anew without such names"
        )


def _entries(path: Path) -> Iterator[_Entry]:
    """All files and folders, in storage order."""
    if path.is_dir():
        yield from _walk(path)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
                yield _Entry(info.filename, info.is_dir(), partial(archive.read, info))
    else:
        with tarfile.open(path) as tar:
            for member in tar:
                if member.issym():
                    raise UserError(f"{path}: {member.name} is a symbolic link; pack files")
                if member.isfile() or member.isdir() or member.islnk():
                    yield _Entry(member.name, member.isdir(), partial(_extract, tar, member))


def _walk(path: Path) -> Iterator[_Entry]:
    """All files and folders below `path`. Symbolic links are followed, except to a folder above."""
    for root, folders, files in os.walk(path, followlinks=True):
        here = Path(root)
        above = {os.path.realpath(parent) for parent in (here, *here.parents)}
        folders[:] = sorted(name for name in folders if os.path.realpath(here / name) not in above)
        for name in [*folders, *sorted(files)]:
            file = here / name
            yield _Entry(file.relative_to(path).as_posix(), name in folders, file.read_bytes)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()
