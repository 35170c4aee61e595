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
    found = []
    for row in records.rows(runs):
        line = {key: row.record[key] for key in ("workdir", "method", "dataset", "seed", "split")}
        line |= {"examples": row.record["examples"], "device": row.record["device"]}
        line |= {"from_workdir": row.measures["workdir"]}
        for key, value in row.measures.items():
            if key != "workdir" and not isinstance(value, dict | list):
                line[key] = value
        line.pop("teacher", None)
        line |= {f"teacher_{key}": value for key, value in (row.measures["teacher"] or {}).items()}
        found.append(line | row.measures["cost"])
    return found


def class_lines(runs: Sequence[Record]) -> list[Line]:
    """A flat line for each network and class or attribute."""
    return [
        {"workdir": row.record["workdir"], "network": row.label, "class": name, **values}
        for row in records.rows(runs)
        for name, values in _by_name(row.record, row.measures).items()
    ]


def _by_name(record: Record, network: Mapping[str, Any]) -> dict[str, Line]:
    """The measures of each class or attribute."""
    return network["attributes" if record["multi_label"] else "classes"]


def show(runs: Sequence[Record]) -> None:
    """Prints the notes and all tables."""
    for line in notes(runs):
        print(line)
    for table in tables(runs):
        progress.table(*table)


def notes(runs: Sequence[Record]) -> list[str]:
    """What a reader has to know first: runs that are not finished, networks that are missing,
    NaN logits, and classes without images."""
    said: list[str] = []
    for record in runs:
        where = record["workdir"]
        said += filter(None, [record["unfinished"]])
        said += [f"{where}: without {name!r}: {why}" for name, why in record["missing"].items()]
        said += [
            f"{where}: {name!r} has NaN logits for {network['without_prediction']:,} of "
            f"{record['examples']:,} images: they count as wrong"
            for name, network in record["networks"].items()
            if network["without_prediction"]
        ]
        said += _without_images(record)
    return said


def _without_images(record: Record) -> list[str]:
    """A line that names the classes of which there is no image, if any."""
    if record["multi_label"]:
        return []
    classes = next(iter(record["networks"].values()))["classes"]
    names = [name for name, values in classes.items() if not values["support"]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return names and [
        f"{record['workdir']}: {records.evaluated_images(record)} has no image of {len(names)} of "
        f"{len(classes)} classes: {', '.join(names[:_NAMED])}{more}"
    ]


def tables(runs: Sequence[Record]) -> list[Table]:
    """Measures against the labels and the teacher, cost, and for one run those of each class."""
    found = [_against_labels(runs, False), _against_labels(runs, True)]
    found += [_against_teacher(runs), _cost(runs)]
    if len(runs) == 1:
        found.append(_attributes(runs[0]) if runs[0]["multi_label"] else _classes(runs[0]))
    return [table for table in found if table.rows]


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
    costs = {row.label: row.measures["cost"] for row in records.headline(runs)}
    rows = [
        ([name], cost | {"megaflops": cost["flops"] and cost["flops"] / 1e6})
        for name, cost in costs.items()
    ]
    batches = [cost["throughput_batch"] for cost in costs.values() if cost["throughput"]]
    note = batches and (
        f"Latency at batch 1, images/s at batch {batches[0]}, on one device ({runs[0]['device']})."
    )
    return _measured("Cost", ["network"], rows, _COST, note or "")


def _attributes(record: Record) -> Table:
    networks = {name: record["networks"][name]["attributes"] for name in records.final(record)}
    rows = [
        [
            name,
            f"{share:.1%}",
            f"{max(share, 1 - share):.2%}",
            *(f"{values[name]['accuracy']:.2%}" for values in networks.values()),
        ]
        for name, share in record["attribute_shares"].items()
    ]
    columns = ["attribute", "have it", "one answer", *networks]
    caption = "One answer: always the more frequent one."
    return Table("Accuracy on each attribute", columns, rows, caption)


def _classes(record: Record) -> Table:
    networks = {name: record["networks"][name]["classes"] for name in records.final(record)}
    first = next(iter(networks.values()))
    rows = [
        [
            name,
            f"{first[name]['support']:,.0f}",
            *(_text(values[name]["f1"]) for values in networks.values()),
        ]
        for name in record["class_names"]
        if len(first) <= _CLASSES_SHOWN
    ]
    caption = "Precision and recall are in evaluation-classes.csv."
    return Table("F1 of each class", ["class", "images", *networks], rows, caption)
