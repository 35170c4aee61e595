"""The files of a folder, a zip or a tar, read in the order in which they lie there.

Nothing is unpacked to disk. Reading in storage order keeps compressed tars to one pass.
"""

import hashlib
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from kdjax.data import cache, images
from kdjax.data.types import Request, Split
from kdjax.system.errors import UserError
from kdjax.system.progress import console, track

_NAMED = 3
"""So many files that are no images are named."""
_HIDDEN = ("__MACOSX", "Thumbs.db")
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    # Encrypted, or of a compression that Python does not know.
    RuntimeError,
    NotImplementedError,
)


def listing(path: Path) -> tuple[list[str], list[str]]:
    """Names of all files and of all folders, with `/` between parts, hidden ones left out.

    Args:
        path: a folder, a zip or a tar.

    Raises:
        UserError: nothing is there, it is damaged or of another kind, or has a name twice, one that
            leads outside or one that is not UTF-8.
    """
    files: list[str] = []
    folders: set[str] = set()
    for name, is_folder in _names(path):
        _check_name(path, name)
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
            yield name, _read(path / name)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
                name = _clean(entry.filename)
                if name in wanted:
                    try:
                        content = archive.read(entry)
                    except _DAMAGE as error:
                        raise UserError(f"{path}: {name} cannot be read: {error}") from error
                    yield name, content
    else:
        name = "its beginning"
        try:
            with tarfile.open(path) as tar:
                for member in tar:
                    name = _clean(member.name)
                    if (member.isfile() or member.islnk()) and name in wanted:
                        file = tar.extractfile(member)
                        assert file is not None
                        yield name, file.read()
        except _DAMAGE as error:
            raise UserError(f"{path} is damaged after {name}: {error}") from error


def digest(path: Path, names: Collection[str]) -> str:
    """A short text that changes with the files of a folder, or with an archive."""
    listed = []
    for name in names if path.is_dir() else [""]:
        try:
            stat = (path / name).stat()
        except OSError as error:
            raise UserError(f"cannot read {path / name}: {error.strerror}") from error
        listed.append((name, stat.st_size, stat.st_mtime_ns))
    content = json.dumps([str(path.resolve()), listed])
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def without_strays(path: Path, names: Sequence[str]) -> list[str]:
    """Those of `names` that are images; of others it says how many there are.

    By their suffixes, or else by their contents: a file with the suffix of an image that cannot be
    read is a broken image, and no stray.
    """
    unsure = [name for name in names if PurePosixPath(name).suffix.lower() not in images.suffixes()]
    strays = {name for name, content in contents(path, unsure) if not images.is_image(content)}
    if strays:
        named = ", ".join(sorted(strays)[:_NAMED])
        more = f" and {len(strays) - _NAMED} more" if len(strays) > _NAMED else ""
        what = "file is no image and is" if len(strays) == 1 else "files are no images and are"
        console.print(
            f"{path}: {len(strays)} {what} left out: {named}{more}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return [name for name in names if name not in strays]


def read_parts(
    where: Path,
    path: Path,
    parts: Mapping[str, tuple[Sequence[str], np.ndarray]],
    request: Request,
) -> dict[str, Split]:
    """Splits whose images are files, decoded once and cached.

    Args:
        where: the folder of the cache.
        path: a folder, a zip or a tar.
        parts: for each split, the names of its files and a label for each.
        request: size, channels and crop.

    Raises:
        UserError: images are broken; names those of all parts.
    """
    splits: dict[str, Split] = {}
    broken: list[str] = []
    for part, (names, label) in parts.items():
        write = partial(
            _write_split, path=path, part=part, names=names, label=label, request=request
        )
        try:
            splits[part] = cache.cached(where / part, write)
        except cache.BrokenImages as error:
            broken += error.files
    if broken:
        raise cache.BrokenImages(broken)
    return splits


def _write_split(
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


def _check_name(path: Path, name: str) -> None:
    whole = f"{path}/{name}"
    try:
        whole.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{os.fsencode(whole)!r}: this name is not UTF-8; rename it") from error
    if name.startswith("/") or ".." in name.split("/"):
        raise UserError(
            f"{path}: the name {name!r} leads outside the archive; pack it anew without such names"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _names(path: Path) -> Iterator[tuple[str, bool]]:
    if not path.exists():
        raise UserError(f"{path} does not exist")
    if path.is_dir():
        yield from _walk(path)
        return
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    yield info.filename, info.is_dir()
        else:
            with tarfile.open(path) as tar:
                for member in tar:
                    if member.issym():
                        raise UserError(f"{path}: {member.name} is a symbolic link; pack files")
                    if member.isfile() or member.isdir() or member.islnk():
                        yield member.name, member.isdir()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the name {error.object!r} is not UTF-8; rename it") from error
    except _DAMAGE as error:
        # What tarfile says is a list of all that it has tried.
        reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        raise UserError(f"{path} is no folder, zip or tar that can be read{reason}") from error


def _walk(path: Path) -> Iterator[tuple[str, bool]]:
    """Files and folders below, those behind symbolic links too, but no folder in itself."""
    for root, folders, files in os.walk(path, followlinks=True):
        here = Path(root)
        above = {os.path.realpath(parent) for parent in (here, *here.parents)}
        folders[:] = [name for name in folders if os.path.realpath(here / name) not in above]
        for names, is_folder in ((folders, True), (files, False)):
            for name in names:
                yield (here / name).relative_to(path).as_posix(), is_folder


def _clean(name: str) -> str:
    return "/".join(part for part in name.strip("/").split("/") if part != ".")
