"""Random predictions and labels for tests of measures."""

import numpy as np

from kdjax.evaluation import measures


def classes(count, width, present=None, *, lost=0.0, seed=0):
    """A prediction of classes and its labels, which are among `present`. The last class is never
    predicted; a share `lost` of the images has a NaN logit."""
    rng = np.random.default_rng(seed)
    label = rng.choice(list(range(width) if present is None else present), count)
    logits = rng.normal(size=(count, width)).astype(np.float32)
    logits[np.arange(count), label] += 1.0
    logits[:, -1] -= 20.0
    unknown = rng.random(count) < lost
    logits[unknown, rng.integers(0, width, unknown.sum())] = np.nan
    return measures.prediction(logits, multi_label=False), label


def attributes(count, width, *, lost=0.0, seed=0):
    """A prediction of attributes and its labels: no image has the first attribute, the second is
    never predicted, and scores tie. A share `lost` of the logits is NaN."""
    rng = np.random.default_rng(seed)
    label = (rng.random((count, width)) < rng.uniform(0.1, 0.8, width)).astype(np.int64)
    label[:, 0] = 0
    logits = np.round(rng.normal(size=(count, width)) + label, 1)
    logits[:, 1:2] = -3.0
    logits[rng.random(logits.shape) < lost] = np.nan
    return measures.prediction(logits, multi_label=True), label


CASES = {
    "classes": classes(200, 12),
    "few classes": classes(50, 3),
    "classes never present": classes(60, 8, (0, 1, 2, 5)),
    "one image": classes(1, 7),
    "one class present": classes(20, 6, (4,)),
    "classes and NaN": classes(80, 8, lost=0.3),
    "only NaN": classes(20, 6, lost=1.0),
    "attributes": attributes(150, 24),
    "few attributes": attributes(30, 6),
    "attributes of one image": attributes(1, 12),
    "one attribute": attributes(9, 1),
    "attributes and NaN": attributes(60, 8, lost=0.2),
}
CLASSES = {name: case for name, case in CASES.items() if not case[0].multi_label}
ATTRIBUTES = {name: case for name, case in CASES.items() if case[0].multi_label}


def answers(prediction, label):
    """Logits, whether the answer is known, and whether it is right, counted one by one."""
    if prediction.multi_label:
        known = ~np.isnan(prediction.logits)
        return known, ((prediction.logits > 0) == (label == 1)) & known
    known = ~np.isnan(prediction.logits).any(axis=1)
    right = [
        bool(k) and row.argmax() == t
        for k, row, t in zip(known, prediction.logits, label, strict=True)
    ]
    return known, np.asarray(right)
