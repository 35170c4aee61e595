"""Images with a file of attributes, in CelebA's layout; any image size, any attributes.

    <root>/.../list_attr_<name>.txt        number of images; names of attributes; one line an image:
                                           its file name, then for each attribute 1, or -1 (in
                                           all lines, or 0 in all lines) where it has none
    <root>/.../list_eval_partition.txt     file name, then 0 (train), 1 (validation) or 2 (test)
    <root>/.../<images>.zip (or tar), or the image files themselves in any folder

Without a partition file all images are training images. `<root>` is a folder.
"""

from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from kdjax.data import archive, cache
from kdjax.data.types import Raw, Request
from kdjax.system.errors import UserError

PARTS = ("train", "validation", "test")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2")


class Table(NamedTuple):
    """What an attribute file says."""

    attributes: tuple[str, ...]
    names: tuple[str, ...]
    """Of the image files, in the file's order."""
    values: np.ndarray
    """`[n, k]` uint8 in {0, 1}."""


def read(request: Request) -> Raw:
    """All images that the attribute file lists, decoded once and cached.

    Raises:
        UserError: a file is missing, or a line is wrong; names the file and the line.
    """
    if not request.path:
        raise UserError("config.data.path is empty: name a folder with images and list_attr_*.txt")
    root = Path(request.path).expanduser()
    if not root.is_dir():
        raise UserError(f"{root} is not a folder (with images and list_attr_*.txt)")
    attribute_file = _at_most_one(root, "*attr*.txt", "attribute file")
    if attribute_file is None:
        raise UserError(f"{root} has no attribute file (list_attr_*.txt)")
    table = read_table(attribute_file)
    partition_file = _at_most_one(root, "*partition*.txt", "partition file")
    part_of = read_partition(partition_file, table) if partition_file else None
    images = _images(root)
    files = _files(images, table, attribute_file)

    lists = [path for path in (attribute_file, partition_file) if path]
    digests = (
        archive.digest(images, files),
        archive.digest(root, [str(path.relative_to(root)) for path in lists]),
    )
    where = cache.folder(request, f"attributes-{root.resolve().name}-{'-'.join(digests)}")
    parts = {}
    for number, part in enumerate(PARTS):
        rows = np.flatnonzero(part_of == number) if part_of is not None else np.arange(len(files))
        if len(rows) and (part_of is not None or part == "train"):
            parts[part] = [files[row] for row in rows], table.values[rows]
    if "train" not in parts:
        raise UserError(f"{partition_file}: no image is in part 0 (train)")
    source = f"attributes {root.resolve().name}"
    splits = archive.read_parts(where, images, parts, request)
    return Raw(splits, table.attributes, source, cache.content(where))


def read_table(path: Path) -> Table:
    """An attribute file.

    Raises:
        UserError: a line is wrong; names it.
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
    places: dict[str, int] = {}
    absent: dict[str, int] = {}
    values = np.zeros((len(lines) - 2, len(attributes)), np.uint8)
    for row, line in enumerate(lines[2:]):
        name, *given = line.split() or [""]
        where = f"{path} line {row + 3}"
        if len(given) != len(attributes):
            raise UserError(
                f"{where}: {name or 'an empty line'} has {len(given)} values; there are "
                f"{len(attributes)} attributes"
            )
        for attribute, value in zip(attributes, given, strict=True):
            if value not in ("1", "-1", "0"):
                raise UserError(
                    f"{where}: {attribute} of {name} is {value!r}; it must be 1, -1 or 0"
                )
        for value in sorted({"-1", "0"} & set(given)):
            absent.setdefault(value, row + 3)
        if len(absent) > 1:
            (other, first), (value, _) = absent.items()
            raise UserError(
                f"{where}: {name} has the value {value}, but line {first} has {other}: write 1 and "
                "-1 in all lines, or 1 and 0"
            )
        _add(places, name, row + 3, where)
        values[row] = [value == "1" for value in given]
    if lines[0].strip() != str(len(places)):
        raise UserError(
            f"{path} line 1 says {lines[0].strip()!r} images; there are {len(places)} lines of them"
        )
    return Table(attributes, tuple(places), values)


def read_partition(path: Path, table: Table) -> np.ndarray:
    """The part of each image of `table`: `[n]`, an index of `PARTS`, -1 where none is given.

    Raises:
        UserError: a line is wrong, or no image of a line has attributes; names it.
    """
    rows = {name: row for row, name in enumerate(table.names)}
    parts = np.full(len(rows), -1)
    places: dict[str, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        name, *given = line.split() or [""]
        where = f"{path} line {number}"
        if len(given) != 1 or given[0] not in ("0", "1", "2"):
            raise UserError(
                f"{where}: {line.strip()!r}; it must be a file name, then 0 (train), 1 "
                "(validation) or 2 (test)"
            )
        if name not in rows:
            raise UserError(f"{where}: {name} has no line in the attribute file")
        _add(places, name, number, where)
        parts[rows[name]] = int(given[0])
    missing = np.flatnonzero(parts < 0)
    if len(missing):
        raise UserError(f"{path} has no line for {table.names[missing[0]]}")
    return parts


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file: {error.reason}") from error


def _add(places: dict[str, int], name: str, line: int, where: str) -> None:
    if name in places:
        raise UserError(f"{where}: {name} was on line {places[name]} already")
    places[name] = line


def _at_most_one(root: Path, pattern: str, what: str) -> Path | None:
    found = sorted(path for path in root.rglob(pattern) if not path.name.startswith("."))
    if len(found) > 1:
        raise UserError(f"{root} has more than one {what}: {', '.join(p.name for p in found)}")
    return found[0] if found else None


def _images(root: Path) -> Path:
    """The archive with the images, or the folder itself."""
    found = sorted(path for path in root.rglob("*") if path.suffix in _ARCHIVES)
    if len(found) > 1:
        raise UserError(
            f"{root} has {', '.join(path.name for path in found)}; leave only the archive with the "
            "images there"
        )
    return found[0] if found else root


def _files(images: Path, table: Table, attribute_file: Path) -> list[str]:
    """For each line of the table the image's place in the folder or archive."""
    places: dict[str, str] = {}
    wanted = set(table.names)
    for file in archive.listing(images)[0]:
        name = PurePosixPath(file).name
        if name in wanted and name in places:
            raise UserError(
                f"{images} has two images of the name {name}: {places[name]} and {file}"
            )
        places[name] = file
    for row, name in enumerate(table.names):
        if name not in places:
            raise UserError(
                f"{attribute_file} line {row + 3}: there is no image {name} in {images}"
            )
    return [places[name] for name in table.names]
