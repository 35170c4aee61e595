"""How often networks predict the same."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from kdjax.evaluation import measures, records
from kdjax.evaluation.measures import agreement as agreement_measure
from kdjax.plots.drawing import bars, cells, labels, style
from kdjax.plots.types import Run, Section

ORDER = 95
_CAPTION = "The share of images on which two networks predict the same."
_TURNED = 100.0
"""Points of a name that may stand turned under its column; longer names become numbers."""


def of_runs(runs: Sequence[Run]) -> Iterator[Section]:
    if len(runs) > 1:
        shares = between_runs(runs)
        yield Section("Agreement between runs", "agreement", _CAPTION, draw(shares))


def of_run(run: Run) -> Iterator[Section]:
    yield Section("Agreement", "agreement", _CAPTION, draw(run.record["agreement"]))


def between_runs(runs: Sequence[Run]) -> dict[str, Any]:
    """The agreement of all networks of the runs that were evaluated on the first run's images."""
    first = runs[0].evaluation
    multi_label = first.record["multi_label"]
    predictions = {}
    names = records.run_labels([run.evaluation.record for run in runs])
    for name, run in zip(names, runs, strict=True):
        data, split = run.evaluation.plan.data, run.evaluation.split
        same = (data.content, data.source) == (first.plan.data.content, first.plan.data.source)
        if same and np.array_equal(split.id, first.split.id):
            for row in records.final(run.evaluation.record):
                logits = run.evaluation.predictions[row].logits
                prediction = measures.prediction(logits, multi_label=multi_label)
                predictions[f"{name}: {row}"] = prediction
    matrix = agreement_measure.matrix(list(predictions.values()))
    return {"networks": list(predictions), "matrix": matrix}


def draw(agreement: Mapping[str, Any]) -> Figure | None:
    """Heat map of the share of equal predictions between two networks or more, in percent.

    `agreement` is `{"networks": [names], "matrix": [[shares]]}`.
    """
    names = agreement["networks"]
    if len(names) < 2:
        return None
    shares = 100 * np.asarray(agreement["matrix"], np.float64)
    numbers = [str(number) for number in range(1, len(names) + 1)]
    numbered = max(map(labels.width, names)) > _TURNED
    rows = [f"{number} {name}" for number, name in zip(numbers, names, strict=True)]
    rows = [labels.wrap(row, bars.LABEL) for row in (rows if numbered else names)]
    figure, (axes,) = style.figure(2.2 + labels.pitch(rows) * len(names))
    # All shades up to 100 %, which the diagonal has.
    image = cells.shade(axes, shares, Normalize(min(shares.min(), 99.5), 100))
    axes.set_yticks(range(len(names)), rows)
    style.bar_below(figure, image, "Equal predictions (% of the images)")
    labels.name_columns(axes, numbers if numbered else names)
    room = style.size_of(axes)[0] / len(names)
    for decimals in (1, 0):
        texts = _texts(shares, decimals)
        if max(labels.width(text) for row in texts for text in row) + 2 <= room:
            cells.write(axes, image, texts)
            break
    return figure


def _texts(shares: np.ndarray, decimals: int) -> list[list[str]]:
    """The cells' texts: 100 only where all predictions are equal, and none on the diagonal."""
    most = 100 - 0.1**decimals
    texts = [
        ["100" if share == 100 else f"{min(share, most):.{decimals}f}" for share in row]
        for row in shares
    ]
    for place, row in enumerate(texts):
        row[place] = ""
    return texts
