"""IDX files, in which MNIST and sets of its form, as Fashion-MNIST, are published.

LeCun, Cortes and Burges, The MNIST database of handwritten digits: two bytes of 0, 8 for unsigned
bytes, the number of dimensions, the size of each (32 bits, big-endian), and the values.
"""

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from kdjax.data import archive, cache
from kdjax.data.cache import Encoded
from kdjax.data.types import Raw, Request
from kdjax.system.errors import UserError
from kdjax.system.progress import track

_NAME = re.compile(
    r"(?:.*[-_.])?(train|t10k|test)[-_.](images[-.]idx3|labels[-.]idx1)-ubyte(?:\.gz)?",
    re.IGNORECASE,
)
Pairs = dict[str, tuple[str, str]]
"""By split, the names of its images' file and its labels'."""


def find(path: Path, files: list[str]) -> Pairs:
    """The IDX files among `files`, as `train-images-idx3-ubyte.gz`; none where there are none.

    Raises:
        UserError: there are images without labels, labels without images, or two files of a kind.
    """
    found: dict[str, dict[str, str]] = {}
    for name in files:
        if match := _NAME.fullmatch(PurePosixPath(name).name):
            part = "train" if match[1].lower() == "train" else "test"
            kind = match[2].lower()[:6]
            other = found.setdefault(part, {}).setdefault(kind, name)
            if other != name:
                raise UserError(f"{path}: {other} and {name} are both {kind} of {part}; keep one")
    for part, kinds in found.items():
        for missing in {"images", "labels"} - kinds.keys():
            (there,) = kinds.values()
            raise UserError(f"{path} has {there}, but no IDX file of the {missing} of {part}")
    return {part: (found[part]["images"], found[part]["labels"]) for part in sorted(found)[::-1]}


def read(path: Path, pairs: Pairs, request: Request, *, training: bool) -> Raw:
    """All images of IDX files, resized once and cached; classes are named 0, 1, ...

    Args:
        path: the folder or archive that they are in.
        pairs: as `find` gives them.
        request: size, channels and crop.
        training: whether there must be a training part that has every class.

    Raises:
        UserError: a file is damaged, or images and labels differ in number.
    """
    names = [name for pair in pairs.values() for name in pair]
    wanted = {labels: part for part, (_, labels) in pairs.items()}
    label = {
        wanted[name]: _array(f"{path}: {name}", content, 1).astype(np.int32)
        for name, content in archive.contents(path, wanted)
    }
    if training and "train" not in pairs:
        raise UserError(f"{path} has IDX files of test, but none of train")
    classes = 1 + max(int(values.max()) for values in label.values())
    if (
        training
        and (unknown := np.setdiff1d(label.get("test", label["train"]), label["train"])).size
    ):
        raise UserError(f"{path}: class {unknown[0]} is in test, but not in train")
    where = cache.folder(request, f"idx-{path.stem}-{archive.digest(path, names)}")
    splits = {}
    for part, (images, _) in pairs.items():
        write = partial(_write, path=path, name=images, label=label[part], request=request)
        splits[part] = cache.cached(where / part, write)
    source = f"IDX files {path.resolve().name}"
    return Raw(splits, tuple(map(str, range(classes))), source, cache.content(where))


def _write(folder: Path, *, path: Path, name: str, label: np.ndarray, request: Request) -> None:
    ((_, content),) = archive.contents(path, [name])
    pixels = _array(f"{path}: {name}", content, 3)
    if len(pixels) != len(label):
        raise UserError(
            f"{path}: {name} has {len(pixels)} images, but there are {len(label)} labels"
        )

    def encoded() -> Iterator[Encoded]:
        for row in track(range(len(pixels)), len(pixels), f"reading {name}"):
            yield row, f"{path}: image {row} of {name}", pixels[row]

    cache.write_split(folder, label, request, encoded())


def _array(where: str, content: bytes, dimensions: int) -> np.ndarray:
    """The values of a file that may be compressed: `[n]` or `[n, h, w]` uint8, none of them 0."""
    if where.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{where} is damaged: {error}") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{where} is no IDX file of {dimensions} dimensions of unsigned bytes")
    shape = [int(size) for size in np.frombuffer(content, ">u4", dimensions, 4)]
    if len(content) - start != math.prod(shape):
        raise UserError(
            f"{where} is damaged: its header says {' x '.join(map(str, shape))} values, and it has "
            f"{len(content) - start}"
        )
    if not math.prod(shape):
        raise UserError(f"{where} is empty")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
