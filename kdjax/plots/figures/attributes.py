"""Accuracy on each attribute of a multi-label data set."""

import math

import numpy as np
from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, accuracy_label, headline
from kdjax.plots.drawing import labels, style

ORDER = 110
HEADING = "Attributes"
CAPTION = "Accuracy on each attribute, beside always giving the more frequent answer."
_MAJORITY = "always the more frequent answer"
_LEGEND_COLUMNS = 2


def draw_record(record: Record) -> Figure | None:
    """Accuracy of every network on each attribute, beside that of the more frequent answer.

    An attribute is a line; on the topmost line networks are best on average.
    """
    rows = [row for row in headline([record]) if row.measures.get("attributes")]
    if not rows:
        return None
    names = list(rows[0].measures["attributes"])
    accuracy = 100 * np.asarray(
        [[row.measures["attributes"][name]["accuracy"] for name in names] for row in rows]
    )
    shares = np.asarray([record["attribute_shares"][name] for name in names])
    order = np.argsort(-accuracy.mean(axis=0), kind="stable")
    places = np.arange(len(names))

    # Networks stand a little apart, so that equal accuracies can be told from one accuracy.
    pitch = max(0.17, min(0.045 * len(rows), 7.5 / len(names)))
    shown = labels.shorten_all([row.label for row in rows], 30)
    legend_lines = math.ceil((1 + len(rows)) / _LEGEND_COLUMNS)
    figure, (axes,) = style.figure(0.8 + 0.17 * legend_lines + pitch * len(names))
    majority = 100 * np.maximum(shares, 1 - shares)[order]
    (ticks,) = axes.plot(majority, places, "|", color="0.45", label=_MAJORITY)
    ticks.set(markersize=pitch * 72 * 0.8, markeredgewidth=1.6)
    for place, (label, values) in enumerate(zip(shown, accuracy, strict=True)):
        apart = 0.6 * ((place + 0.5) / len(rows) - 0.5)
        axes.plot(values[order], places + apart, label=label, **style.look(place).dot(3.8))
    axes.set_yticks(places, labels.shorten_all([names[index] for index in order], 24))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid()
    axes.set_xlabel(accuracy_label([record]).replace("Mean accuracy over attributes", "Accuracy"))
    figure.legend(loc="outside upper left", ncols=_LEGEND_COLUMNS)
    return figure
