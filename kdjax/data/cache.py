"""Decoded arrays on disk: made once, whole or absent, also when several processes start at once."""

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.data import images
from kdjax.data.store import Images
from kdjax.data.types import Request, Split
from kdjax.system.errors import UserError

_VERSION = "decoded-3"
"""Changes when decoding does, so that no older cache is read."""
_BATCH = 64
_DIGEST = "sha256"
_DAY = 86_400
_NAMED = 10
"""So many broken images are named."""


Encoded = tuple[int, str, bytes | np.ndarray]


class BrokenImages(UserError):
    """Files that should be images and cannot be decoded."""

    def __init__(self, files: Sequence[str]):
        """Of `files`: a line for each, with its name and what is wrong."""
        self.files = files
        more = f"; and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        count = f"{len(files)} images are broken: " if len(files) > 1 else ""
        super().__init__(count + "; ".join(files[:_NAMED]) + more)


def root(data_dir: str) -> Path:
    """`data_dir`, or where TFDS keeps its data if that is empty."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def folder(request: Request, name: str) -> Path:
    """Where the decoded images of a data set of this name and version are."""
    return root(request.data_dir) / "kdjax" / _VERSION / f"{name}-{request.key}"


def whole(path: Path, write: Callable[[Path], None], what: str) -> None:
    """Makes the folder `path` if it is missing: `write` fills a fresh one, which is then renamed.

    It appears all at once or not at all, also when several processes start together: each writes a
    folder of its own; who comes second keeps the first one's.

    Args:
        path: the folder.
        write: writes its files into another one.
        what: that is kept there, for messages.

    Raises:
        UserError: the disk is full, or nothing can be written there.
    """
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise UserError(f"cannot cache {what} in {path.parent}: {error.strerror}") from error
    try:
        write(fresh)
        for file in fresh.iterdir():
            _flush(file)
        fresh.chmod(path.parent.stat().st_mode)
        os.rename(fresh, path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(f"no space left in {path.parent} to cache {path.name}") from error
        if not path.exists():
            raise UserError(
                f"cannot cache {path.name} in {path.parent}: {error.strerror}"
            ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Says in one line what is wrong with a folder's arrays.

    Raises:
        UserError: they are damaged, or cannot be read.
    """
    try:
        yield
    except PermissionError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from error
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"the cache {path} is damaged: remove it ({error})") from error


def cached(path: Path, write: Callable[[Path], None]) -> Split:
    """The arrays at `path`; where they are missing, `write` makes them in a fresh folder first.

    Raises:
        UserError: the disk is full, or the cache is damaged.
    """

    def with_digest(fresh: Path) -> None:
        write(fresh)
        (fresh / _DIGEST).write_text(_digest(fresh))

    whole(path, with_digest, "images")
    with reading(path):
        stored = Images([path / "image.npy"])
        label, index = np.load(path / "label.npy"), np.load(path / "id.npy")
    if not len(stored) == len(label) == len(index):
        raise UserError(f"the cache {path} is damaged: remove it (its arrays differ in length)")
    return Split(stored, label, index)


def content(folder: Path) -> str:
    """A short text that depends on the images and labels of all parts in a folder, on nothing else.

    Raises:
        UserError: the cache is damaged.
    """
    digests = []
    for part in sorted(one for one in folder.iterdir() if not one.name.startswith(".")):
        try:
            digests.append(f"{part.name} {(part / _DIGEST).read_text()}")
        except OSError as error:
            raise UserError(f"the cache {part} is damaged: remove it ({error})") from error
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]


def write_split(
    path: Path, label: np.ndarray, request: Request, encoded: Iterable[Encoded]
) -> None:
    """Writes the arrays of a split, decoding on all cores; holds some dozens of images at a time.

    Args:
        path: the folder to write to.
        label: `[n]` classes, or `[n, k]` attributes; may be filled in while `encoded` is read.
        request: size, channels and crop.
        encoded: for each row, in any order, the row, a name for messages and the file's bytes (or
            the pixels, as `images.decode` takes them).

    Raises:
        UserError: images cannot be decoded (names them), or are missing; or the disk is too small.
    """
    written, shape = 0, (len(label), *request.image_shape)
    broken: list[str] = []
    images.require_room(shape, shutil.disk_usage(path).free, f"the disk of {path.parent}")
    array = allocate(path / "image.npy", shape, np.uint8)
    rows: Iterator[Encoded] = iter(encoded)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while batch := list(islice(rows, _BATCH)):
            decoded = pool.map(partial(_decode, request), batch)
            for (row, _, _), image in zip(batch, decoded, strict=True):
                if isinstance(image, str):
                    broken.append(image)
                else:
                    array[row] = image
                written += 1
    del array
    if broken:
        raise BrokenImages(broken)
    if written != len(label):
        raise UserError(f"only {written} of {len(label)} images could be read: did files change?")
    np.save(path / "label.npy", label.astype(np.int32 if label.ndim == 1 else np.uint8))
    np.save(path / "id.npy", np.arange(len(label), dtype=np.int32))


def _decode(request: Request, item: Encoded) -> np.ndarray | str:
    """The image, or what is wrong with it."""
    _, name, content = item
    try:
        return images.decode(
            content, size=request.size, channels=request.channels, crop=request.crop
        )
    except ValueError as error:
        return f"{name} {error}"


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for name in ("image", "label"):
        with (folder / f"{name}.npy").open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def _remove_leftovers(path: Path) -> None:
    """What processes that were killed while they wrote have left, a day ago or more."""
    for old in path.parent.glob(f".{path.name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _DAY:
                shutil.rmtree(old)


def _flush(path: Path) -> None:
    """Puts a file on the disk itself: after a power cut, a renamed folder is whole."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def allocate(path: Path, shape: tuple[int, ...], dtype: Any) -> np.memmap:
    """A new array on disk. Its space is taken now: a full disk later would kill the process.

    Raises:
        OSError: the disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
