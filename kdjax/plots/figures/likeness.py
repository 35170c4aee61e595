"""How close students are to their teacher, from stage to stage."""

from collections.abc import Iterator

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, Row, histories
from kdjax.plots.drawing import bars, style
from kdjax.plots.drawing.bars import Bar
from kdjax.plots.drawing.labels import digits
from kdjax.plots.types import Run, Section

ORDER = 90


def of_run(run: Run) -> Iterator[Section]:
    heading = "Likeness to the teacher, before and after"
    caption = (
        "Divergence from the teacher's predictions, cross-entropy with the labels, and cosine."
    )
    yield Section(heading, "likeness", caption, draw(run.record))


@style.styled()
def draw(record: Record) -> Figure | None:
    """Three panels of the networks that several stages train and that are compared with a teacher.

    The Kullback-Leibler divergence from the teacher and the cross-entropy, both in nats, and the
    cosine similarity with the teacher: of features where every network drawn has it, else of
    logits; the axis says which.
    """
    groups = [rows for rows in histories(record) if all(map(_is_compared, rows))]
    if not groups:
        return None
    rows = [
        (group, row, len(history) - 1 - place)
        for group, history in enumerate(groups)
        for place, row in enumerate(history)
    ]
    features = all(row.figures["teacher"]["cosine"] is not None for _, row, _ in rows)
    cosine, vectors = ("cosine", "features") if features else ("logit_cosine", "logits")
    entropy = "Binary cross-entropy" if record["multi_label"] else "Cross-entropy"
    measures = {
        "KL divergence from the teacher (nats)": [
            row.figures["teacher"]["kl"] for _, row, _ in rows
        ],
        f"{entropy} with the labels (nats)": [row.figures["loss"] for _, row, _ in rows],
        f"Cosine with the teacher's {vectors}": [
            row.figures["teacher"][cosine] for _, row, _ in rows
        ],
    }
    panels = [
        [
            Bar(row.label, value, digits(value) if "nats" in label else f"{value:.4f}", group, look)
            for (group, row, look), value in zip(rows, values, strict=True)
        ]
        for label, values in measures.items()
    ]
    figure, axes = style.figure(bars.height(panels[0]) + 0.3, 1, len(panels), sharey=True)
    for panel, label, values in zip(axes, measures, panels, strict=True):
        bars.draw(panel, values, label=label, cut=label.startswith("Cosine"))
    return figure


def _is_compared(row: Row) -> bool:
    """Whether a network was compared with a teacher, on logits that are numbers."""
    teacher = row.figures["teacher"]
    return bool(teacher) and None not in (
        row.figures["loss"],
        teacher["kl"],
        teacher["logit_cosine"],
    )
