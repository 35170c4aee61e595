"""Decoded images on disk: written once, complete or absent, also when processes start together."""

import contextlib
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
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from kdjax.data.files import images
from kdjax.data.store import Images
from kdjax.data.types import Request, Split
from kdjax.system import errors
from kdjax.system.errors import UserError

_VERSION = "decoded-3"
"""Changes when decoding changes, so that no older cache is read."""
_BATCH = 64
_DIGEST = "sha256"
_DAY = 86_400


class Encoded(NamedTuple):
    """An image that is to be decoded into a row of a split."""

    row: int
    name: str
    """The image's name for messages."""
    content: bytes | np.ndarray
    """The file's bytes, or grey pixels `[h, w]` uint8."""


Part = tuple[np.ndarray, Iterable[Encoded]]
"""The labels of a split, `[n]` classes or `[n, k]` attributes, and its images in any order. The
labels may be filled in while the images are read."""


class BrokenImages(UserError):
    """Files that should be images and cannot be decoded."""

    def __init__(self, files: Sequence[str]):
        """`files` has a line for each file, with its name and what is wrong."""
        self.files = files
        count = f"{len(files)} images are broken: " if len(files) > 1 else ""
        super().__init__(count + errors.listed(files, 10, "; "))


def root(data_dir: str) -> Path:
    """The folder of all data: `data_dir`, or TFDS's own default if that is empty."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def folder(request: Request, name: str) -> Path:
    """The folder for the decoded images of a data set, whose `name` includes its version."""
    form = f"{request.size}x{request.channels}{'-crop' if request.crop else ''}"
    return root(request.data_dir) / "kdjax" / _VERSION / f"{name}-{form}"


def ensure_folder(path: Path, write: Callable[[Path], None], what: str) -> None:
    """Creates the folder `path` if it is missing: `write` fills a new folder, which is renamed.

    The folder appears complete or not at all. When several processes start together, each writes
    its own folder, and the first one stays. Messages say `what` kind of content it has.

    Raises:
        UserError: the disk is full, or nothing can be written there.
    """
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}-", dir=path.parent, ignore_cleanup_errors=True
        ) as name:
            new = Path(name)
            write(new)
            for written in new.iterdir():
                # On the disk itself, so that a renamed folder is complete after a power cut.
                with written.open("rb") as file:
                    os.fsync(file.fileno())
            new.chmod(path.parent.stat().st_mode)
            os.rename(new, path)
    except OSError as error:
        # Renaming fails if another process has written the folder in the meantime.
        if not path.exists():
            raise UserError(f"cannot cache {what} in {path.parent}: {error.strerror}") from error


@contextlib.contextmanager
def report_damage(path: Path) -> Iterator[None]:
    """Turns errors in reading a cache's files into one line.

    Raises:
        UserError: the cache is damaged, or cannot be read.
    """
    try:
        yield
    except PermissionError as error:
        raise UserError(f"cannot read {error.filename}: {error.strerror}") from error
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"the cache {path} is damaged: remove it ({error})") from error


def read_splits(
    folder: Path, parts: Iterable[str], open_part: Callable[[str], Part], request: Request
) -> tuple[dict[str, Split], str]:
    """The splits in a folder; images of splits that are missing are decoded and written first.

    Args:
        folder: the folder of the cache.
        parts: the names of the splits.
        open_part: opens the labels and images of a split, to decode them.
        request: size, channels and crop.

    Returns:
        The splits by name, and a short text that depends only on their images and labels.

    Raises:
        UserError: images cannot be decoded (the message names those of all splits), the disk is
            full, or the cache is damaged.
    """
    splits: dict[str, Split] = {}
    digests: list[str] = []
    broken: list[str] = []
    for part in parts:

        def write(new: Path, part: str = part) -> None:
            write_split(new, *open_part(part), request)

        try:
            splits[part] = load_split(folder / part, write)
        except BrokenImages as error:
            broken += error.files
            continue
        with report_damage(folder / part):
            digests.append(f"{part} {(folder / part / _DIGEST).read_text()}")
    if broken:
        raise BrokenImages(broken)
    return splits, hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:16]


def load_split(path: Path, write: Callable[[Path], None]) -> Split:
    """The split in the folder `path`; if it is missing, `write` calls `write_split` first.

    Raises:
        UserError: the disk is full, or the cache is damaged.
    """
    ensure_folder(path, write, "images")
    with report_damage(path):
        image, label = Images([path / "image.npy"]), np.load(path / "label.npy")
        if len(image) != len(label):
            raise ValueError("its arrays differ in length")
    return Split(image, label, np.arange(len(label), dtype=np.int32))


def write_split(
    path: Path, label: np.ndarray, encoded: Iterable[Encoded], request: Request
) -> None:
    """Writes the arrays of a split (its labels and images: `Part`) to the folder `path`.

    Decodes on all cores, with some dozens of images in memory.

    Raises:
        UserError: images are missing or cannot be decoded, or the disk is too small.
    """
    written, shape = 0, (len(label), *request.image_shape)
    broken: list[str] = []
    images.require_room(shape, shutil.disk_usage(path).free, f"the disk of {path.parent}")
    array = allocate(path / "image.npy", shape, np.uint8)
    remaining = iter(encoded)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while batch := list(islice(remaining, _BATCH)):
            decoded = pool.map(partial(_decode, request), batch)
            for item, image in zip(batch, decoded, strict=True):
                if isinstance(image, str):
                    broken.append(image)
                else:
                    array[item.row] = image
            written += len(batch)
    del array
    if broken:
        raise BrokenImages(broken)
    if written != len(label):
        raise UserError(f"only {written} of {len(label)} images could be read: did files change?")
    np.save(path / "label.npy", label.astype(np.int32 if label.ndim == 1 else np.uint8))
    digest = hashlib.sha256()
    for name in ("image.npy", "label.npy"):
        with (path / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    (path / _DIGEST).write_text(digest.hexdigest())


def _decode(request: Request, item: Encoded) -> np.ndarray | str:
    """The image, or a text that says what is wrong with it."""
    try:
        return images.decode(item.content, request)
    except ValueError as error:
        return f"{item.name} {error}"


def allocate(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap:
    """A new array on disk. Its space is reserved now: a full disk later would kill the process.

    Raises:
        OSError: the disk is full.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _remove_leftovers(path: Path) -> None:
    """Removes folders of processes that were killed while they wrote, a day ago or more."""
    for old in path.parent.glob(f".{path.name}-*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > _DAY:
                shutil.rmtree(old)
