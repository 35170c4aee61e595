"""What `kdjax.evaluate` prints and writes of its records, and reports repeat."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from kdjax.evaluation.records import run_labels
from kdjax.system import progress

Record = dict[str, Any]
Line = dict[str, Any]

_CLASSES_SHOWN = 40
_NAMED = 10
"""So many classes without images are named."""


class Table(NamedTuple):
    """A table that people read."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    caption: str = ""


class Row(NamedTuple):
    """One network of one run."""

    label: str
    """Its name, behind its run's where there are several."""
    last: bool
    """Whether it is what the run ends with, and not what an earlier stage left."""
    figures: Line
    record: Record


def rows(records: Sequence[Record]) -> list[Row]:
    """Every network of every run."""
    return [
        Row(f"{name}{row}", row in final(record), figures, record)
        for name, record in zip(_labels(records), records, strict=True)
        for row, figures in record["networks"].items()
    ]


def final(record: Record) -> list[str]:
    """The rows that a run ends with; all, where only earlier stages were evaluated."""
    found = [row for row, figures in record["networks"].items() if row == figures["network"]]
    return found or list(record["networks"])


def _labels(records: Sequence[Record]) -> list[str]:
    """What stands before a network's name: nothing for one run, else the run."""
    if len(records) == 1:
        return [""]
    return [f"{label}: " for label in run_labels(records)]


def lines(records: Sequence[Record]) -> list[Line]:
    """A flat line for each network of each run; what a run does not have is empty."""
    found = []
    for _, _, figures, record in rows(records):
        line = {key: record[key] for key in ("workdir", "method", "dataset", "seed", "split")}
        line |= {"examples": record["examples"], "device": record["device"]}
        line |= {"from_workdir": figures["workdir"]}
        kept = figures.keys() - {"workdir", "teacher", "cost"}
        line |= {k: v for k, v in figures.items() if k in kept and not isinstance(v, dict | list)}
        if figures["teacher"]:
            line |= {f"teacher_{key}": value for key, value in figures["teacher"].items()}
        found.append(line | figures["cost"])
    return found


def class_lines(records: Sequence[Record]) -> list[Line]:
    """A flat line for each network and class or attribute."""
    return [
        {"workdir": record["workdir"], "network": label, "class": name, **each}
        for label, _, figures, record in rows(records)
        for name, each in _each(record, figures).items()
    ]


def _each(record: Record, figures: Line) -> dict[str, Line]:
    return figures["attributes" if record["multi_label"] else "classes"]


def show(records: Sequence[Record]) -> None:
    """Prints what a reader has to know, and all tables."""
    for line in notes(records):
        print(line)
    for table in tables(records):
        progress.table(*table)


def notes(records: Sequence[Record]) -> list[str]:
    """What a reader has to know first: runs that are not finished, networks that are missing,
    logits that are no numbers, and classes without images."""
    found: list[str] = []
    for record in records:
        where = record["workdir"]
        found += filter(None, [record["unfinished"]])
        found += [f"{where}: without {one!r}: {why}" for one, why in record["missing"].items()]
        found += [
            f"{where}: {row!r} has NaN logits for {figures['without_prediction']:,} of "
            f"{record['examples']:,} images: they count as wrong"
            for row, figures in record["networks"].items()
            if figures["without_prediction"]
        ]
        found += _absent(record)
    return found


def _absent(record: Record) -> list[str]:
    """The classes of which there is no image, in words; nothing where every class has one."""
    figures = next(iter(record["networks"].values()))
    if record["multi_label"]:
        return []
    classes = figures["classes"]
    names = [name for name, one in classes.items() if not one["support"]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return names and [
        f"{record['workdir']}: {images(record)} has no image of {len(names)} of {len(classes)} "
        f"classes: {', '.join(names[:_NAMED])}{more}"
    ]


def images(record: Record) -> str:
    """What was evaluated, in words."""
    return f"{record['split']} split" if record["on"] is None else f"all of {record['split']}"


def tables(records: Sequence[Record]) -> list[Table]:
    """Quality, likeness to the teacher, cost, and for one run the figures of each class."""
    found = []
    for multi_label in (False, True):
        found.append(_quality(records, multi_label))
    found += [_likeness(records), _cost(records)]
    if len(records) == 1:
        found.append(_by_class(records[0]))
    return [_filled(table) for table in found if table.rows]


def _filled(table: Table) -> Table:
    """Without the columns that are empty in every row."""
    there = [
        place
        for place in range(len(table.columns))
        if place == 0 or any(row[place] not in ("", "-") for row in table.rows)
    ]
    columns, *shown = ([row[place] for place in there] for row in (table.columns, *table.rows))
    return table._replace(columns=columns, rows=shown)


_CLASSES = {
    "accuracy": "accuracy",
    "top-5": "top5_accuracy",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
    "cross-entropy": "loss",
    "ECE": "calibration_error",
}
_ATTRIBUTES = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "F1": "f1",
    "average precision": "average_precision",
    "precision at 5": "precision_at_5",
    "at 10": "precision_at_10",
    "at 20": "precision_at_20",
    "cross-entropy": "loss",
    "ECE": "calibration_error",
}
_REFERENCES = {"ceiling": "perfect ranking", "prevalence": "ranked by prevalence"}


def _quality(records: Sequence[Record], multi_label: bool) -> Table:
    columns = _ATTRIBUTES if multi_label else _CLASSES
    shown = [
        [label, figures["stage"] or "-", _steps(figures)]
        + [_number(figures.get(key), key) for key in columns.values()]
        for label, _, figures, record in rows(records)
        if record["multi_label"] == multi_label
    ]
    for label, record in zip(_labels(records), records, strict=True):
        for kind, values in record.get("precision_at", {}).items():
            given = [_number(values.get(key), key) for key in columns.values()]
            if multi_label and values:
                shown.append([f"{label}({_REFERENCES[kind]})", "", "", *given])
    where = records[0]["workdir"] if len(records) == 1 else f"{len(records)} runs"
    parts = {(images(record), record["examples"]) for record in records}
    evaluated = "; ".join(f"{name}, {count:,} images" for name, count in sorted(parts))
    return Table(
        f"{where}: {evaluated}",
        ["network", "stage", "step", *columns],
        shown,
        f"Precision, recall and F1: means over {'attributes' if multi_label else 'classes'}; "
        "cross-entropy in nats; ECE: expected calibration error.",
    )


def _steps(figures: Line) -> str:
    """The step of a network; of several seeds the first and the last."""
    steps = figures.get("steps", [figures["step"]])
    return " to ".join(f"{step:,}" for step in sorted({min(steps), max(steps)}))


def _likeness(records: Sequence[Record]) -> Table:
    keys = ("kl", "agreement", "logit_cosine", "cosine", "cka")
    shown = [
        [label, *(_number(like[key], key) for key in keys)]
        for label, _, figures, _ in rows(records)
        if (like := figures["teacher"])
    ]
    layers = ", ".join(sorted({record["layer"] for record in records}))
    return Table(
        "Against the teacher",
        ["network", "KL, nats", "agreement", "cosine of logits", "of features", "CKA"],
        shown,
        f"Features: {layers}, of a map its mean over positions; their cosine needs equal widths. "
        "KL of predictions at T = 1.",
    )


def _cost(records: Sequence[Record]) -> Table:
    shown = [
        [
            label,
            f"{one['parameters']:,}",
            f"{one['parameters_with_statistics']:,}",
            f"{one['megabytes']:.2f}",
            _number(one["of_teacher"], "of_teacher"),
            "-" if one["flops"] is None else f"{one['flops'] / 1e6:,.1f}",
            *_times(one),
        ]
        for label, last, figures, _ in rows(records)
        if (one := figures["cost"]) and last
    ]
    timed = [row.figures["cost"] for row in rows(records) if row.figures["cost"]["throughput"]]
    caption = "MB: 10^6 bytes. MFLOP of one image; a multiplication and an addition are two."
    if timed:
        batch, device = timed[0]["throughput_batch"], records[0]["device"]
        caption += f" Latency at batch 1, images/s at batch {batch}, on one device ({device})."
    columns = ["network", "parameters", "with statistics", "MB", "of teacher", "MFLOP"]
    return Table("Cost", [*columns, "latency, ms", "p90", "images/s"], shown, caption)


def _times(one: Line) -> list[str]:
    if one["throughput"] is None:
        return ["-", "-", "-"]
    latency = [f"{one[key]:.3g}" for key in ("latency_median", "latency_p90")]
    return [*latency, f"{one['throughput']:,.0f}"]


def _by_class(record: Record) -> Table:
    networks = {row: _each(record, record["networks"][row]) for row in final(record)}
    names = record["class_names"]
    if record["multi_label"]:
        shares = record["attribute_shares"]
        shown = [
            [
                name,
                f"{shares[name]:.1%}",
                f"{max(shares[name], 1 - shares[name]):.2%}",
                *(f"{each[name]['accuracy']:.2%}" for each in networks.values()),
            ]
            for name in names
        ]
        columns = ["attribute", "have it", "one answer", *networks]
        caption = "One answer: always the more frequent one."
        return Table("Accuracy on each attribute", columns, shown, caption)
    support = next(iter(networks.values()))
    shown = [
        [
            name,
            f"{support[name]['support']:,.0f}",
            *(_number(each[name]["f1"], "f1") for each in networks.values()),
        ]
        for name in names
        if len(names) <= _CLASSES_SHOWN
    ]
    caption = "Precision and recall are in evaluation-classes.csv."
    return Table("F1 of each class", ["class", "images", *networks], shown, caption)


_IN_NUMBERS = {"loss": ".4f", "kl": ".4f", "logit_cosine": ".3f", "cosine": ".3f", "cka": ".3f"}


def _number(value: float | None, key: str) -> str:
    return "-" if value is None else format(value, _IN_NUMBERS.get(key, ".2%"))
