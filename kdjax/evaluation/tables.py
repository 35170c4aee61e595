"""Tables, notes and CSV lines of records: what the commands print and write."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kdjax.evaluation import measures, records
from kdjax.evaluation.measures import Column
from kdjax.evaluation.records import Record
from kdjax.system import progress

Line = dict[str, Any]

_CLASSES_SHOWN = 40
"""The largest number of classes that a table has a row for."""
_NAMED = 10
"""The largest number of classes without images that are named."""
_REFERENCES = {"ceiling": "perfect ranking", "prevalence": "ranked by prevalence"}


class Table(NamedTuple):
    """A table that people read."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    caption: str = ""


def lines(runs: Sequence[Record]) -> list[Line]:
    """A flat line for each network of each run."""
    of_run = ("workdir", "method", "dataset", "seed", "split", "examples", "device")
    csv_lines = []
    for row in records.rows(runs):
        line = {key: row.record[key] for key in of_run} | {"from_workdir": row.measures["workdir"]}
        for key, value in row.measures.items():
            if key not in ("workdir", "teacher") and not isinstance(value, dict | list):
                line[key] = value
        line |= {f"teacher_{key}": value for key, value in (row.measures["teacher"] or {}).items()}
        csv_lines.append(line | row.measures["cost"])
    return csv_lines


def class_lines(runs: Sequence[Record]) -> list[Line]:
    """A flat line for each network and class or attribute."""
    return [
        {"workdir": row.record["workdir"], "network": row.label, "class": name, **values}
        for row in records.rows(runs)
        for name, values in row.measures[_kind(row.record)].items()
    ]


def _kind(record: Record) -> str:
    """The key of a network's measures of each class or attribute."""
    return "attributes" if record["multi_label"] else "classes"


def show(runs: Sequence[Record]) -> None:
    """Prints the notes and all tables."""
    for line in notes(runs):
        print(line)
    for table in tables(runs):
        progress.table(*table)


def notes(runs: Sequence[Record]) -> list[str]:
    """Lines to read first: runs that are not finished, networks that are missing, NaN logits, and
    classes without images."""
    texts: list[str] = []
    for record in runs:
        where = record["workdir"]
        texts += filter(None, [record["unfinished"]])
        texts += [f"{where}: without {name!r}: {why}" for name, why in record["missing"].items()]
        texts += [
            f"{where}: {name!r} has NaN logits for {network['without_prediction']:,} of "
            f"{record['examples']:,} images: they count as wrong"
            for name, network in record["networks"].items()
            if network["without_prediction"]
        ]
        classes = next(iter(record["networks"].values())).get("classes", {})
        names = [name for name, values in classes.items() if not values["support"]]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            texts.append(
                f"{where}: {records.evaluated_images(record)} has no image of {len(names)} of "
                f"{len(classes)} classes: {', '.join(names[:_NAMED])}{more}"
            )
    return texts


def tables(runs: Sequence[Record]) -> list[Table]:
    """Measures against the labels and the teacher, cost, and for one run those of each class."""
    every = [_against_labels(runs, False), _against_labels(runs, True)]
    every += [_against_teacher(runs), _cost(runs)]
    if len(runs) == 1:
        every.append(_by_class(runs[0]))
    return [table for table in every if table.rows]


def _measured(
    title: str,
    names: list[str],
    rows: Sequence[tuple[list[str], Mapping[str, Any]]],
    columns: Mapping[str, Column],
    note: str = "",
) -> Table:
    """A table with the columns that at least one row has a value for.

    Each row is its first cells, below the headings `names`, and its values by key.
    """
    shown = {
        key: column
        for key, column in columns.items()
        if any(values.get(key) is not None for _, values in rows)
    }
    return Table(
        title,
        [*names, *(column.title for column in shown.values())],
        [
            [*cells, *(_text(values.get(key), shown[key].form) for key in shown)]
            for cells, values in rows
        ],
        " ".join(filter(None, dict.fromkeys([*(column.note for column in shown.values()), note]))),
    )


def _text(value: float | None, form: str = ".2%") -> str:
    return "-" if value is None else format(value, form)


def _against_labels(runs: Sequence[Record], multi_label: bool) -> Table:
    rows = [
        ([row.label, row.measures["stage"] or "-", _steps(row.measures)], row.measures)
        for row in records.rows(runs)
        if row.record["multi_label"] == multi_label
    ]
    if multi_label:
        rows += [
            ([f"{prefix}({_REFERENCES[kind]})", "", ""], values)
            for prefix, record in zip(records.prefixes(runs), runs, strict=True)
            for kind, values in record.get("precision_at", {}).items()
            if values
        ]
    where = runs[0]["workdir"] if len(runs) == 1 else f"{len(runs)} runs"
    parts = {(records.evaluated_images(record), record["examples"]) for record in runs}
    evaluated = "; ".join(f"{name}, {count:,} images" for name, count in sorted(parts))
    names = ["network", "stage", "step"]
    return _measured(f"{where}: {evaluated}", names, rows, measures.columns())


def _steps(network: Mapping[str, Any]) -> str:
    """The step of a network; of several seeds the first and the last."""
    steps = network.get("steps", [network["step"]])
    return " to ".join(f"{step:,}" for step in sorted({min(steps), max(steps)}))


def _against_teacher(runs: Sequence[Record]) -> Table:
    rows = [
        ([row.label], values) for row in records.rows(runs) if (values := row.measures["teacher"])
    ]
    layers = ", ".join(sorted({record["layer"] for record in runs}))
    note = f"Features: {layers}, of a map its mean over positions."
    return _measured("Against the teacher", ["network"], rows, measures.columns(), note)


_COST = {
    "parameters": Column("parameters", ",d"),
    "parameters_with_statistics": Column("with statistics", ",d"),
    "megabytes": Column("MB", ".2f", "MB: 10^6 bytes."),
    "of_teacher": Column("of teacher"),
    "megaflops": Column(
        "MFLOP", ",.1f", "MFLOP of one image; a multiplication and an addition are two."
    ),
    "latency_median": Column("latency, ms", ".3g"),
    "latency_p90": Column("p90", ".3g"),
    "throughput": Column("images/s", ",.0f"),
}


def _cost(runs: Sequence[Record]) -> Table:
    rows, note = [], ""
    for row in records.headline(runs):
        cost = row.measures["cost"]
        rows.append(([row.label], cost | {"megaflops": cost["flops"] and cost["flops"] / 1e6}))
        if batch := cost["throughput_batch"]:
            note = f"Latency at batch 1, images/s at batch {batch}, on one device"
            note += f" ({runs[0]['device']})."
    return _measured("Cost", ["network"], rows, _COST, note)


def _by_class(record: Record) -> Table:
    networks = {name: record["networks"][name][_kind(record)] for name in records.final(record)}
    if record["multi_label"]:
        title, key = "Accuracy on each attribute", "accuracy"
        headings = ["attribute", "have it", "one answer"]
        caption = "One answer: always the more frequent one."
        shares = record["attribute_shares"].items()
        cells = {name: [f"{p:.1%}", f"{max(p, 1 - p):.2%}"] for name, p in shares}
    else:
        title, key, headings = "F1 of each class", "f1", ["class", "images"]
        caption = "Precision and recall are in evaluation-classes.csv."
        first = next(iter(networks.values()))
        shown = first if len(first) <= _CLASSES_SHOWN else {}
        cells = {name: [f"{values['support']:,.0f}"] for name, values in shown.items()}
    rows = [
        [name, *texts, *(_text(values[name][key]) for values in networks.values())]
        for name, texts in cells.items()
    ]
    return Table(title, [*headings, *networks], rows, caption)
