"""What drawn images of a data set have in common, so that the page can draw such images."""

from typing import Any

import numpy as np

_LARGEST = 64
"""Images of more pixels on a side are photographs, and not drawn by hand."""
_PLAIN = 0.6
"""The least share of the border's pixels that have the paper's grey in drawings."""
_CONTRAST = 32
"""Grey levels from the paper that are ink."""

_THICKEST = 0.15
"""Share of the box's longer side: thicker lines close the loops of a drawing."""


def describe(images: np.ndarray) -> dict[str, Any] | None:
    """Measures of ink on paper; None where images `[n, h, w, c]` uint8 are no drawings.

    Drawings are grey, small, and have a border of one grey level, the paper's.

    Returns:
        `paper` and `ink`: grey levels. `extent`: the longer side of the box around the ink, as a
        share of the image's height. `centre`: of the ink's mass, row and column, as shares.
        `stroke`: the width of a line, as a share of the box's longer side, at most `_THICKEST`.
        All are medians.
    """
    _, h, w, c = images.shape
    if c != 1 or max(h, w) > _LARGEST:
        return None
    grey = images[..., 0].astype(np.float64)
    border = np.concatenate([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], axis=1)
    paper = float(np.median(border))
    if (np.abs(border - paper) < _CONTRAST).mean() < _PLAIN:
        return None
    is_dark = paper < 128
    ink = 255.0 if is_dark else 0.0
    mass = np.clip((grey - paper) / (ink - paper), 0.0, 1.0)
    drawn = [image for image in mass if (image > 0.5).any()]
    if not drawn:
        return None
    measured = np.array([_measure(image) for image in drawn])
    extent, row, column, stroke = np.median(measured, axis=0).tolist()
    return {
        "paper": paper,
        "ink": ink,
        "extent": extent,
        "centre": [row, column],
        "stroke": min(stroke, _THICKEST),
    }


def _measure(mass: np.ndarray) -> tuple[float, float, float, float]:
    """Extent, centre and stroke of one image of ink `[h, w]` in [0, 1]."""
    h, w = mass.shape
    rows, columns = (np.flatnonzero((mass > 0.25).any(axis=axis)) for axis in (1, 0))
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    total = mass.sum()
    row = float((mass.sum(axis=1) * (np.arange(h) + 0.5)).sum() / total / h)
    column = float((mass.sum(axis=0) * (np.arange(w) + 0.5)).sum() / total / w)
    # A line of length l and width s has the area l s and the outline 2 l.
    edges = np.abs(np.diff(np.pad(mass, 1), axis=0)).sum()
    edges += np.abs(np.diff(np.pad(mass, 1), axis=1)).sum()
    # Edges along both axes are 4 / pi times as long as the outline, on average over directions.
    stroke = 2 * total / (np.pi / 4 * edges)
    return side / h, row, column, stroke / side
