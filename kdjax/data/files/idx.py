"""IDX files, the format in which MNIST and similar sets such as Fashion-MNIST are published.

LeCun, Cortes and Burges, The MNIST database of handwritten digits: two bytes of 0, then 8 for
unsigned bytes, the number of dimensions, each dimension's size (32 bits, big-endian), the values.
"""

import gzip
import math
import re
import zlib
from pathlib import Path, PurePosixPath

import numpy as np

from kdjax.data import cache
from kdjax.data.files import archive
from kdjax.data.types import DataSet, Request
from kdjax.system.errors import UserError
from kdjax.system.progress import track

_NAME = re.compile(
    r"(?:.*[-_.])?(train|t10k|test)[-_.](images[-.]idx3|labels[-.]idx1)-ubyte(?:\.gz)?",
    re.IGNORECASE,
)
Pairs = dict[str, tuple[str, str]]
"""For each split, the names of its image file and of its label file."""


def find_pairs(path: Path, files: list[str]) -> Pairs:
    """The IDX files among `files`, such as `train-images-idx3-ubyte.gz`; empty if there are none.

    Raises:
        UserError: a split has images without labels, labels without images, or two files of a kind.
    """
    by_part: dict[str, dict[str, str]] = {}
    for name in files:
        if match := _NAME.fullmatch(PurePosixPath(name).name):
            part = "train" if match[1].lower() == "train" else "test"
            kind = match[2].lower()[:6]
            other = by_part.setdefault(part, {}).setdefault(kind, name)
            if other != name:
                raise UserError(f"{path}: {other} and {name} are both {kind} of {part}; keep one")
    for part, kinds in by_part.items():
        for missing in {"images", "labels"} - kinds.keys():
            (name,) = kinds.values()
            raise UserError(f"{path} has {name}, but no IDX file of the {missing} of {part}")
    parts = [part for part in ("train", "test") if part in by_part]
    return {part: (by_part[part]["images"], by_part[part]["labels"]) for part in parts}


def read(path: Path, pairs: Pairs, request: Request, *, training: bool) -> DataSet:
    """All images of IDX files, resized once and cached. The classes are named 0, 1, ...

    Args:
        path: the folder or archive of the files.
        pairs: the result of `find_pairs`.
        request: size, channels and crop.
        training: requires a training part that has every class.

    Raises:
        UserError: a file is damaged, or the numbers of images and labels differ.
    """
    part_of = {labels: part for part, (_, labels) in pairs.items()}
    label = {
        part_of[name]: _values(f"{path}: {name}", content, 1).astype(np.int32)
        for name, content in archive.contents(path, part_of)
    }
    if training:
        if "train" not in label:
            raise UserError(f"{path} has IDX files of test, but none of train")
        unknown = np.setdiff1d(label.get("test", []), label["train"]).astype(int)
        if unknown.size:
            raise UserError(f"{path}: class {unknown[0]} is in test, but not in train")
    names = [name for pair in pairs.values() for name in pair]

    def open_part(part: str) -> cache.Part:
        file = pairs[part][0]
        ((_, content),) = archive.contents(path, [file])
        pixels, count = _values(f"{path}: {file}", content, 3), len(label[part])
        if len(pixels) != count:
            raise UserError(
                f"{path}: {file} has {len(pixels)} images, but there are {count} labels"
            )
        images = enumerate(track(pixels, count, f"reading {file}"))
        return label[part], (
            cache.Encoded(row, f"{path}: image {row} of {file}", image) for row, image in images
        )

    folder = cache.folder(request, f"idx-{path.stem}-{archive.digest(path, names)}")
    splits, content = cache.read_splits(folder, pairs, open_part, request)
    classes = 1 + max(int(values.max()) for values in label.values())
    class_names = tuple(map(str, range(classes)))
    return DataSet(splits, class_names, f"IDX files {path.resolve().name}", content)


def _values(name: str, content: bytes, dimensions: int) -> np.ndarray:
    """The values of a file, which may be compressed: `[n]` or `[n, h, w]` uint8, not empty."""
    if name.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{name} is damaged: {error}") from error
    start = 4 + 4 * dimensions
    if len(content) < start or content[:4] != bytes([0, 0, 8, dimensions]):
        raise UserError(f"{name} is no IDX file of {dimensions} dimensions of unsigned bytes")
    shape = [int(size) for size in np.frombuffer(content, ">u4", dimensions, 4)]
    if len(content) - start != math.prod(shape):
        raise UserError(
            f"{name} is damaged: its header says {' x '.join(map(str, shape))} values, and it has "
            f"{len(content) - start}"
        )
    if not math.prod(shape):
        raise UserError(f"{name} is empty")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
