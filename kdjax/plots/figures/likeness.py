"""How close students are to their teacher, from stage to stage."""

from matplotlib.figure import Figure

from kdjax.evaluation.records import Record, Row, histories
from kdjax.plots.drawing import bars
from kdjax.plots.drawing.bars import Bar
from kdjax.plots.drawing.labels import digits

ORDER = 90
HEADING = "Likeness to the teacher, before and after"
CAPTION = "Divergence from the teacher's predictions, cross-entropy with the labels, and cosine."


def draw_record(record: Record) -> Figure | None:
    """Three panels of the networks that several stages train and that are compared with a teacher.

    The Kullback-Leibler divergence from the teacher and the cross-entropy, both in nats, and the
    cosine similarity with the teacher: of features where every network drawn has it, else of
    logits; the axis says which.
    """
    groups = [rows for rows in histories(record) if all(map(_is_compared, rows))]
    features = all(row.measures["teacher"]["cosine"] is not None for rows in groups for row in rows)
    cosine, vectors = ("cosine", "features") if features else ("logit_cosine", "logits")
    entropy = "Binary cross-entropy" if record["multi_label"] else "Cross-entropy"
    labels = {
        "kl": "KL divergence from the teacher (nats)",
        "loss": f"{entropy} with the labels (nats)",
        cosine: f"Cosine with the teacher's {vectors}",
    }
    panels: dict[str, list[Bar]] = {key: [] for key in labels}
    for group, rows in enumerate(groups):
        for place, row in enumerate(rows):
            measures = {**row.measures, **row.measures["teacher"]}
            for key, panel in panels.items():
                text = f"{measures[key]:.4f}" if key == cosine else digits(measures[key])
                panel.append(Bar(row.label, measures[key], text, group, len(rows) - 1 - place))
    return bars.draw({labels[key]: panel for key, panel in panels.items()}, points=labels[cosine])


def _is_compared(row: Row) -> bool:
    """Whether a network was compared with a teacher, on logits that are numbers."""
    teacher = row.measures["teacher"] or {}
    measures = row.measures["loss"], teacher.get("kl"), teacher.get("logit_cosine")
    return None not in measures
