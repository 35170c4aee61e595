"""What figures read of records: rows, their labels, and networks that several stages trained."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

Record = Mapping[str, Any]
"""One run; the package's docstring says what it holds."""


class Row(NamedTuple):
    """One network of one run."""

    label: str
    run: int
    """Its record's place among those drawn."""
    figures: Mapping[str, Any]
    """What was measured of it."""
    record: Record


def headline(records: Sequence[Record]) -> list[Row]:
    """Networks as their runs left them, without what earlier stages left of them."""
    runs = run_labels(records)
    return [
        Row(f"{label}: {name}" if len(records) > 1 else name, place, figures, record)
        for place, (label, record) in enumerate(zip(runs, records, strict=True))
        for name, figures in record["networks"].items()
        if name == figures["network"]
    ]


def run_labels(records: Sequence[Record]) -> list[str]:
    """The last part of every workdir; where these are alike, as many parts as tell them apart.

    The same workdir twice is numbered.
    """
    parts = [PurePath(record["workdir"]).parts or (".",) for record in records]
    depth = 1
    while depth < max(map(len, parts), default=1) and _alike(parts, depth) > _alike(parts, None):
        depth += 1
    labels = ["/".join(part[-depth:]) for part in parts]
    return [
        f"{label} ({labels[:place].count(label) + 1})" if labels.count(label) > 1 else label
        for place, label in enumerate(labels)
    ]


def histories(record: Record) -> list[list[Row]]:
    """Networks that several stages trained: what each stage left, the first one first.

    Labels are `<network> after <stage>`, also for the last one.
    """
    groups: dict[str, list[Row]] = {}
    for figures in record["networks"].values():
        label = f"{figures['network']} after {figures['stage']}"
        groups.setdefault(figures["network"], []).append(Row(label, 0, figures, record))
    several = [rows for rows in groups.values() if len(rows) > 1]
    return [sorted(rows, key=lambda row: row.figures["step"]) for rows in several]


def accuracy_label(records: Sequence[Record]) -> str:
    """Says what an axis of accuracies shows, as far as all records share it."""
    kind = "Mean accuracy over attributes" if _shared(records, "multi_label") else "Accuracy"
    split = _shared(records, "split")
    examples = _shared(records, "examples")
    where = f" on the {split} split" if split else ""
    return f"{kind}{where}{f', {examples:,} images' if examples else ''} (%)"


def _shared(records: Sequence[Record], key: str) -> Any:
    """The value of all records, or None where they differ."""
    values = [record[key] for record in records]
    return values[0] if all(value == values[0] for value in values) else None


def _alike(parts: Sequence[tuple[str, ...]], depth: int | None) -> int:
    """How many are not told apart by their last `depth` parts, or by all of them."""
    tails = [part if depth is None else part[-depth:] for part in parts]
    return len(tails) - len(set(tails))
