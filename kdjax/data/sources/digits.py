"""The embedded data set: scikit-learn's 1,797 real handwritten digits, 8x8, no download."""

import os

import numpy as np

from kdjax.data.files.images import decode, require_room
from kdjax.data.store import Images
from kdjax.data.types import DataSet, Request, Split
from kdjax.system.errors import UserError


def read(request: Request) -> DataSet:
    """All digits as a `train` part, resized from 8x8; values 0 to 16 become 0 to 255.

    Raises:
        UserError: the request has a path, or the images do not fit into memory.
    """
    from sklearn.datasets import load_digits

    if request.path:
        raise UserError(
            f"config.data.path is {request.path!r}, but digits are embedded; use :folder"
        )
    digits = load_digits()
    shape = (len(digits.images), *request.image_shape)
    require_room(shape, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), "this machine")
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
    image = [decode(grey, request) for grey in pixels]
    label = digits.target.astype(np.int32)
    part = Split(Images([np.stack(image)]), label, np.arange(len(label), dtype=np.int32))
    return DataSet({"train": part}, tuple(map(str, digits.target_names)), "scikit-learn digits")
