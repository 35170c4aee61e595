"""How close students are to their teacher, and networks to each other."""

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, Row, histories
from kdjax.plots.figures import bars as chart
from kdjax.plots.figures import cells, labels, style

_TURNED = 100.0
"""Points of a name that may stand turned under its column; for longer ones, numbers do."""
_LABEL = 130.0
"""Points of a name beside its row; longer ones are broken into lines."""


@style.styled
def before_and_after(record: Record) -> Figure | None:
    """What each stage left of the networks that several stages train, in three panels.

    The Kullback-Leibler divergence from the teacher and the cross-entropy, both in nats, and the
    cosine similarity with the teacher: of features where every network drawn has it, else of
    logits; the axis says which.

    Args:
        record: one run.

    Returns:
        None where no network was trained by two stages and compared with a teacher.
    """
    groups = [rows for rows in histories(record) if all(map(_known, rows))]
    if not groups:
        return None
    features = all(row.figures["teacher"]["cosine"] is not None for rows in groups for row in rows)

    vectors = "features" if features else "logits"

    def divergence(row: Row) -> float:
        return float(row.figures["teacher"]["kl"])

    def loss(row: Row) -> float:
        return float(row.figures["loss"])

    def cosine(row: Row) -> float:
        return float(row.figures["teacher"]["cosine" if features else "logit_cosine"])

    hard = "Binary cross-entropy" if record["multi_label"] else "Cross-entropy"
    panels = (
        (divergence, labels.digits, "KL divergence from the teacher (nats)", False),
        (loss, labels.digits, f"{hard} with the labels (nats)", False),
        (cosine, "{:.4f}".format, f"Cosine with the teacher's {vectors}", True),
    )
    bars = [
        [
            chart.Bar(row.label, value, text(value), group, look=len(rows) - 1 - place)
            for group, rows in enumerate(groups)
            for place, row in enumerate(rows)
            for value in [measure(row)]
        ]
        for measure, text, _, _ in panels
    ]
    figure, axes = style.figure(chart.height(bars[0]) + 0.3, 1, len(panels), sharey=True)
    for panel, values, (_, _, label, cut) in zip(axes, bars, panels, strict=True):
        chart.draw(panel, values, label=label, cut=cut)
    return figure


@style.styled
def agreement(record: Record) -> Figure | None:
    """Heat map of the share of equal predictions between networks, in percent.

    Args:
        record: one run.

    Returns:
        The record's order from the top and from the left; None for fewer than two networks.
    """
    names, matrix = record["agreement"]["networks"], record["agreement"]["matrix"]
    if len(names) < 2:
        return None
    shares = 100 * np.asarray(matrix, np.float64)
    numbered = max(labels.width(name) for name in names) > _TURNED
    rows = [f"{place} {name}" if numbered else name for place, name in enumerate(names, start=1)]
    rows = [labels.wrap(row, _LABEL) for row in rows]
    lines = max(row.count("\n") + 1 for row in rows)
    pitch = 0.1 + 0.13 * lines
    figure, (axes,) = style.figure(2.2 + pitch * len(names))
    # All shades up to 100 %, which the diagonal has.
    image = cells.shade(axes, shares, None, norm=Normalize(min(shares.min(), 99.5), 100))
    axes.set_yticks(range(len(names)), rows)
    columns = [str(place) for place in range(1, len(names) + 1)] if numbered else names
    figure.colorbar(
        image,
        location="bottom",
        label="Equal predictions (% of the images)",
        shrink=0.6,
        aspect=35,
    )
    labels.name_columns(axes, columns)
    room = style.size_of(axes)[0] / len(names)
    for texts in (_tenths(shares), _whole(shares)):
        if max(labels.width(text) for row in texts for text in row) + 2 <= room:
            cells.write(axes, image, shares, texts)
            break
    return figure


def _tenths(shares: np.ndarray) -> list[list[str]]:
    return [["100" if share == 100 else f"{share:.1f}" for share in row] for row in shares]


def _whole(shares: np.ndarray) -> list[list[str]]:
    """For narrow cells; 100 says that all predictions are equal, and on the diagonal goes without
    saying."""
    return [
        [
            "" if place == other else f"{share if share == 100 else min(round(share), 99):.0f}"
            for other, share in enumerate(row)
        ]
        for place, row in enumerate(shares)
    ]


def _known(row: Row) -> bool:
    """Whether a network was compared with a teacher, on logits that are numbers."""
    like = row.figures["teacher"]
    return bool(like) and None not in (row.figures["loss"], like["kl"], like["logit_cosine"])
