"""Image folders: `<root>/<class>/*` or `<root>/<split>/<class>/*`, as a folder, a zip or a tar.

A folder that holds only one folder is skipped, so archives can be read as they were published.
Splits are named train, validation (val, valid) and test. Files that are no images are left out.
Folders and archives of IDX files (`kdjax.data.files.idx`) are read too.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from kdjax.data import cache
from kdjax.data.files import archive, idx
from kdjax.data.types import DataSet, Request
from kdjax.system.errors import UserError

_SPLITS = {name: name for name in ("train", "validation", "test")} | {
    "training": "train",
    "valid": "validation",
    "val": "validation",
    "testing": "test",
}
Parts = dict[str, dict[str, list[str]]]
"""Names of files by split and class."""


def read(request: Request, *, training: bool = True) -> DataSet:
    """All images of a folder or archive, decoded once and cached.

    Args:
        request: the path and the images' size.
        training: requires a training part that has every class.

    Raises:
        UserError: `config.data.path` is empty or has no class folders, a class is empty or missing
            from the training part, or an image is broken.
    """
    if not request.path:
        raise UserError("config.data.path is empty: name a folder, zip or tar of class folders")
    path = Path(request.path).expanduser()
    files, folders = archive.listing(path)
    if pairs := idx.find_pairs(path, files):
        return idx.read(path, pairs, request, training=training)
    parts = _sort(path, files, folders, training)
    names = [name for by_class in parts.values() for files_ in by_class.values() for name in files_]
    images = archive.without_strays(path, names)
    if len(images) < len(names):
        parts = _sort(path, images, folders, training)
    classes = sorted({name for by_class in parts.values() for name in by_class})
    cache_folder = cache.folder(request, f"folder-{path.stem}-{archive.digest(path, files)}")
    labelled = {}
    for part, by_class in parts.items():
        rows = [(file, classes.index(cls)) for cls in sorted(by_class) for file in by_class[cls]]
        labelled[part] = [file for file, _ in rows], np.array([label for _, label in rows])
    splits, content = archive.read_splits(cache_folder, path, labelled, request)
    return DataSet(splits, tuple(classes), f"folder {path.resolve().name}", content)


def _sort(path: Path, files: list[str], folders: list[str], training: bool) -> Parts:
    """Sorts files by split and class.

    Raises:
        UserError: there are no class folders, or a class is empty or not in `train`.
    """
    root = PurePosixPath("")
    while len(top := _children(folders, root)) == 1 and _children(folders, root / top[0]):
        root /= top[0]
    if not top:
        raise UserError(f"{path} has no class folders: <class>/<image> or <split>/<class>/<image>")
    roots = _split_folders(path, root, top) or {"train": root}
    if training and "train" not in roots:
        raise UserError(f"{path} has the splits {', '.join(sorted(roots))}, but no train")
    parts = {part: _classes(path, folder, files, folders) for part, folder in roots.items()}
    for part, by_class in parts.items():
        if not by_class:
            raise UserError(f"{path}: {roots[part]} has no class folders")
        for cls in by_class:
            if training and cls not in parts["train"]:
                raise UserError(f"{path}: class {cls!r} is in {part}, but not in train")
    return parts


def _split_folders(path: Path, root: PurePosixPath, names: list[str]) -> dict[str, PurePosixPath]:
    """The folder of each split; empty where the folders `names` are classes."""
    splits = {name: _SPLITS[name.lower()] for name in names if name.lower() in _SPLITS}
    parts = set(splits.values())
    if len(splits) < len(names) and not ("train" in parts and len(parts) > 1):
        return {}
    folders: dict[str, PurePosixPath] = {}
    for name, part in splits.items():
        if part in folders:
            raise UserError(f"{path}: {folders[part]} and {root / name} are both {part}; join them")
        folders[part] = root / name
    if others := sorted(set(names) - set(splits)):
        raise UserError(
            f"{path} has splits ({', '.join(splits)}) and beside them {', '.join(others)}: "
            "take these away, or rename splits that are classes"
        )
    return folders


def _children(folders: list[str], root: PurePosixPath) -> list[str]:
    return sorted(p.name for p in map(PurePosixPath, folders) if p.parent == root)


def _classes(
    path: Path, folder: PurePosixPath, files: list[str], folders: list[str]
) -> dict[str, list[str]]:
    """The files of each class folder in `folder`, sorted, with files of deeper folders."""
    classes: dict[str, list[str]] = {cls: [] for cls in _children(folders, folder)}
    depth = len(folder.parts)
    for name in sorted(files):
        parts = PurePosixPath(name).parts
        if parts[:depth] == folder.parts and len(parts) > depth + 1:
            classes[parts[depth]].append(name)
    for cls, names in classes.items():
        if not names:
            raise UserError(f"{path}: class folder {folder / cls} has no images")
    return classes
