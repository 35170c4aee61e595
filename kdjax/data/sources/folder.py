"""Image folders: `<root>/<class>/*` or `<root>/<split>/<class>/*`, as a folder, a zip or a tar.

Folders that hold nothing but one folder are passed through, so archives can be used as they were
published. Splits are named train, validation (val, valid) and test. Files that are no images are
left out. Folders and archives of IDX files (`kdjax.data.idx`) are read too.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from kdjax.data import archive, cache, idx
from kdjax.data.types import Raw, Request
from kdjax.system.errors import UserError

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
Layout = dict[str, dict[str, list[str]]]
"""Names of files by split and class."""


def read(request: Request, *, training: bool = True) -> Raw:
    """All images of a folder or archive, decoded once and cached.

    Args:
        request: what to read, and from where.
        training: whether there must be a training part that has every class.

    Raises:
        UserError: `config.data.path` is empty, or what it names has no such layout, an empty
            class, a class that is in no training part, or a file that is no whole image.
    """
    if not request.path:
        raise UserError("config.data.path is empty: name a folder, zip or tar of class folders")
    path = Path(request.path).expanduser()
    files, folders = archive.listing(path)
    if pairs := idx.find(path, files):
        return idx.read(path, pairs, request, training=training)
    parts = layout(path, files, folders, training=training)
    named = [name for by_class in parts.values() for names in by_class.values() for name in names]
    kept = archive.without_strays(path, named)
    if len(kept) < len(named):
        parts = layout(path, kept, folders, training=training)
    classes = sorted({cls for by_class in parts.values() for cls in by_class})
    where = cache.folder(request, f"folder-{path.stem}-{archive.digest(path, files)}")
    labelled = {}
    for part, by_class in parts.items():
        names = [name for cls in sorted(by_class) for name in sorted(by_class[cls])]
        label = [classes.index(cls) for cls in sorted(by_class) for _ in by_class[cls]]
        labelled[part] = names, np.array(label)
    splits = archive.read_parts(where, path, labelled, request)
    return Raw(splits, tuple(classes), f"folder {path.resolve().name}", cache.content(where))


def layout(path: Path, files: list[str], folders: list[str], *, training: bool = True) -> Layout:
    """Sorts files by split and class.

    Args:
        path: for messages.
        files: all names, with `/` between parts.
        folders: all folders, with empty ones.
        training: as for `read`.

    Raises:
        UserError: there are no class folders, or a class is empty or in no training part.
    """
    root = PurePosixPath("")
    top = _children(folders, root)
    while len(top) == 1 and (below := _children(folders, root / top[0])):
        root, top = root / top[0], below
    if not top:
        raise UserError(f"{path} has no class folders: <class>/<image> or <split>/<class>/<image>")
    splits = [name for name in top if name.lower() in SPLITS]
    roots: dict[str, PurePosixPath] = {}
    if len(splits) == len(top) or _has_train_and_more(splits):
        for name in splits:
            part = SPLITS[name.lower()]
            if part in roots:
                raise UserError(
                    f"{path}: {roots[part]} and {root / name} are both {part}; join them"
                )
            roots[part] = root / name
        if others := sorted(set(top) - set(splits)):
            raise UserError(
                f"{path} has splits ({', '.join(splits)}) and beside them {', '.join(others)}: "
                "take these away, or rename splits that are classes"
            )
        if training and "train" not in roots:
            raise UserError(f"{path} has the splits {', '.join(sorted(roots))}, but no train")
    else:
        roots = {"train": root}
    parts = {part: _classes(path, where, files, folders) for part, where in roots.items()}
    for part, by_class in parts.items():
        if not by_class:
            raise UserError(f"{path}: {roots[part]} has no class folders")
        for cls in by_class:
            if training and cls not in parts["train"]:
                raise UserError(f"{path}: class {cls!r} is in {part}, but not in train")
    return parts


def _has_train_and_more(names: list[str]) -> bool:
    parts = {SPLITS[name.lower()] for name in names}
    return "train" in parts and len(parts) > 1


def _children(folders: list[str], root: PurePosixPath) -> list[str]:
    return sorted(p.name for p in map(PurePosixPath, folders) if p.parent == root)


def _classes(
    path: Path, where: PurePosixPath, files: list[str], folders: list[str]
) -> dict[str, list[str]]:
    """Names of files by class, of the class folders in `where`; deeper folders count too."""
    classes: dict[str, list[str]] = {cls: [] for cls in _children(folders, where)}
    prefix = "" if where == PurePosixPath("") else f"{where}/"
    for name in files:
        if name.startswith(prefix):
            cls, _, below = name[len(prefix) :].partition("/")
            if below:
                classes[cls].append(name)
    for cls, names in classes.items():
        if not names:
            raise UserError(f"{path}: class folder {where / cls} has no images")
    return classes
