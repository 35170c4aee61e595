"""The embedded data set: scikit-learn's 1,797 real handwritten digits, 8x8, no download."""

import numpy as np

from kdjax.data.images import resize
from kdjax.data.types import Raw, Request, Split


def read(request: Request) -> Raw:
    """All of it as one `train` part, resized from 8x8; values 0 to 16 become 0 to 255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.round(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    image = np.stack([resize(one, request.size) for one in grey])
    label = digits.target.astype(np.int32)
    part = Split(image, label, np.arange(len(label), dtype=np.int32))
    return Raw({"train": part}, tuple(map(str, digits.target_names)), "scikit-learn digits")
