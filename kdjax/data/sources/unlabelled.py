"""Images without labels: all images of a folder or archive, at any depth.

Terms that read no labels learn from them, as `standardised` does (configs/label_free.py).
"""

from pathlib import Path

import numpy as np

from kdjax.data import cache
from kdjax.data.files import archive
from kdjax.data.types import DataSet, Request
from kdjax.system.errors import UserError


def read(request: Request) -> DataSet:
    """All images, decoded once and cached, as the split `train`; every label is 0.

    Raises:
        UserError: `config.data.path` is empty or has no images, or an image is broken.
    """
    if not request.path:
        raise UserError("config.data.path is empty: name a folder, zip or tar of images")
    path = Path(request.path).expanduser()
    files, _ = archive.listing(path)
    images = sorted(archive.without_strays(path, files))
    if not images:
        raise UserError(f"{path} has no images")
    folder = cache.folder(request, f"unlabelled-{path.stem}-{archive.digest(path, files)}")
    labelled = {"train": (images, np.zeros(len(images), np.int32))}
    splits, content = archive.read_splits(folder, path, labelled, request)
    return DataSet(splits, (), f"images {path.resolve().name}", content)
