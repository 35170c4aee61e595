"""Images with a file of attributes, in CelebA's form; any image size, any attributes.

    <root>/.../list_attr_<name>.txt        the number of images; the attributes' names; a line for
                                           each image: its file name, then for each attribute 1, or
                                           -1 (in all lines, or 0 in all lines) if it is absent
    <root>/.../list_eval_partition.txt     file name, then 0 (train), 1 (validation) or 2 (test)
    <root>/.../<images>.zip (or tar), or the image files themselves in any folder

Without a partition file all images are training images. `<root>` is a folder.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from kdjax.data import cache
from kdjax.data.files import archive
from kdjax.data.types import DataSet, Request
from kdjax.system.errors import UserError

_PARTS = ("train", "validation", "test")
_ARCHIVES = ("*.zip", "*.tar", "*.gz", "*.tgz", "*.xz", "*.bz2")


class Table(NamedTuple):
    """The contents of an attribute file."""

    attributes: tuple[str, ...]
    files: tuple[str, ...]
    """The names of the image files, in the order of the lines."""
    values: np.ndarray
    """`[n, k]` uint8 in {0, 1}."""


def read(request: Request) -> DataSet:
    """All images that the attribute file lists, decoded once and cached.

    Raises:
        UserError: a file is missing, or a line is wrong; the message names the file and the line.
    """
    if not request.path:
        raise UserError("config.data.path is empty: name a folder with images and list_attr_*.txt")
    root = Path(request.path).expanduser()
    if not root.is_dir():
        raise UserError(f"{root} is not a folder (with images and list_attr_*.txt)")
    attribute_file = _at_most_one(root, "attribute file", "*attr*.txt")
    if attribute_file is None:
        raise UserError(f"{root} has no attribute file (list_attr_*.txt)")
    table = _read_table(attribute_file)
    partition_file = _at_most_one(root, "partition file", "*partition*.txt")
    part_of = np.zeros(len(table.files), int)
    if partition_file:
        part_of = _read_partition(partition_file, table)
    if 0 not in part_of:
        raise UserError(f"{partition_file}: no image is in part 0 (train)")
    images = _at_most_one(root, "archive", *_ARCHIVES) or root
    files = _places(images, table, attribute_file)
    lists = [str(path.relative_to(root)) for path in (attribute_file, partition_file) if path]
    digests = f"{archive.digest(images, files)}-{archive.digest(root, lists)}"
    folder = cache.folder(request, f"attributes-{root.resolve().name}-{digests}")
    parts = {}
    for number, part in enumerate(_PARTS):
        rows = np.flatnonzero(part_of == number)
        if len(rows):
            parts[part] = [files[row] for row in rows], table.values[rows]
    splits, content = archive.read_splits(folder, images, parts, request)
    return DataSet(splits, table.attributes, f"attributes {root.resolve().name}", content)


def _read_table(path: Path) -> Table:
    """The contents of an attribute file.

    Raises:
        UserError: a line is wrong; the message names it.
    """
    lines = _lines(path)
    if len(lines) < 3:
        raise UserError(
            f"{path} has {len(lines)} lines; it needs the number of images, the names of the "
            "attributes and a line for each image"
        )
    attributes = tuple(lines[1].split())
    if not attributes or len(set(attributes)) < len(attributes):
        twice = sorted({name for name in attributes if attributes.count(name) > 1})
        what = f"names {', '.join(twice)} twice" if twice else "has no names of attributes"
        raise UserError(f"{path} line 2 {what}")
    files: list[str] = []
    first_line: dict[str, int] = {}
    values = np.zeros((len(lines) - 2, len(attributes)), np.uint8)
    for number, name, texts in _rows(path, lines, 3):
        place = f"{path} line {number}"
        if len(texts) != len(attributes):
            raise UserError(
                f"{place}: {name or 'an empty line'} has {len(texts)} values; there are "
                f"{len(attributes)} attributes"
            )
        for attribute, text in zip(attributes, texts, strict=True):
            if text not in ("1", "-1", "0"):
                raise UserError(
                    f"{place}: {attribute} of {name} is {text!r}; it must be 1, -1 or 0"
                )
            if text != "1":
                first_line.setdefault(text, number)
        if len(first_line) > 1:
            (other, first), (text, _) = first_line.items()
            raise UserError(
                f"{place}: {name} has the value {text}, but line {first} has {other}: write 1 and "
                "-1 in all lines, or 1 and 0"
            )
        files.append(name)
        values[number - 3] = [text == "1" for text in texts]
    if lines[0].strip() != str(len(files)):
        raise UserError(
            f"{path} line 1 says {lines[0].strip()!r} images; there are {len(files)} lines of them"
        )
    return Table(attributes, tuple(files), values)


def _read_partition(path: Path, table: Table) -> np.ndarray:
    """The part of each image of `table`: `[n]` indices of `_PARTS`.

    Raises:
        UserError: a line is wrong, or an image has no line.
    """
    rows = {name: row for row, name in enumerate(table.files)}
    parts = np.full(len(rows), -1)
    for number, name, texts in _rows(path, _lines(path), 1):
        place = f"{path} line {number}"
        if texts not in (["0"], ["1"], ["2"]):
            raise UserError(
                f"{place}: {' '.join([name, *texts])!r}; it must be a file name, then 0 (train), 1 "
                "(validation) or 2 (test)"
            )
        if name not in rows:
            raise UserError(f"{place}: {name} has no line in the attribute file")
        parts[rows[name]] = int(texts[0])
    missing = np.flatnonzero(parts < 0)
    if len(missing):
        raise UserError(f"{path} has no line for {table.files[missing[0]]}")
    return parts


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file: {error.reason}") from error


def _rows(path: Path, lines: list[str], first: int) -> Iterator[tuple[int, str, list[str]]]:
    """For the lines from number `first` on: the line's number, its file name and its values."""
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines[first - 1 :], start=first):
        name, *texts = line.split() or [""]
        if name in line_of:
            raise UserError(f"{path} line {number}: {name} was on line {line_of[name]} already")
        line_of[name] = number
        yield number, name, texts


def _at_most_one(root: Path, what: str, *patterns: str) -> Path | None:
    paths = sorted(path for path in root.rglob("[!.]*") if any(map(path.match, patterns)))
    if len(paths) > 1:
        names = ", ".join(path.name for path in paths)
        raise UserError(f"{root} has more than one {what}: {names}; keep one")
    return paths[0] if paths else None


def _places(images: Path, table: Table, attribute_file: Path) -> list[str]:
    """The path of each image of the table in the folder or archive `images`."""
    places: dict[str, str] = {}
    listed = set(table.files)
    for file in archive.listing(images)[0]:
        name = PurePosixPath(file).name
        if name in listed and name in places:
            raise UserError(
                f"{images} has two images of the name {name}: {places[name]} and {file}"
            )
        places[name] = file
    for number, name in enumerate(table.files, start=3):
        if name not in places:
            raise UserError(f"{attribute_file} line {number}: there is no image {name} in {images}")
    return [places[name] for name in table.files]
