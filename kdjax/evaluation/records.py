"""Records, as `evaluation.json` holds them: their networks, and labels of runs and networks."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

Record = dict[str, Any]
"""The evaluation of one run; `run_evaluation.evaluate` says what it holds."""


class Row(NamedTuple):
    """One network of one run."""

    label: str
    """Its name, after its run's where there are several runs."""
    run: int
    """The place of its record."""
    final: bool
    """Whether the run ends with it; an earlier stage left the others."""
    measures: Mapping[str, Any]
    """The network's measures by their keys, with `teacher` and `cost`."""
    record: Record


def rows(records: Sequence[Record]) -> list[Row]:
    """Every network of every run."""
    return [
        Row(f"{label}{name}", place, name in final(record), measures, record)
        for place, (label, record) in enumerate(zip(prefixes(records), records, strict=True))
        for name, measures in record["networks"].items()
    ]


def headline(records: Sequence[Record]) -> list[Row]:
    """The networks that the runs end with."""
    return [row for row in rows(records) if row.final]


def final(record: Record) -> list[str]:
    """Names of the networks that a run ends with; all, where only earlier stages were evaluated."""
    names = [name for name, measures in record["networks"].items() if name == measures["network"]]
    return names or list(record["networks"])


def prefixes(records: Sequence[Record]) -> list[str]:
    """Text in front of the name of a run's network; empty for a single run."""
    return [""] if len(records) == 1 else [f"{label}: " for label in run_labels(records)]


def run_labels(records: Sequence[Record]) -> list[str]:
    """The last part of every workdir; where these are equal, as many parts as tell them apart.

    The same workdir twice is numbered.
    """
    parts = [PurePath(record["workdir"]).parts or (".",) for record in records]
    depth = 1
    while len({part[-depth:] for part in parts}) < len(set(parts)):
        depth += 1
    labels = ["/".join(part[-depth:]) for part in parts]
    return [
        f"{label} ({labels[:place].count(label) + 1})" if labels.count(label) > 1 else label
        for place, label in enumerate(labels)
    ]


def histories(record: Record) -> list[list[Row]]:
    """For each network that several stages trained, what each stage left, in order.

    Labels are `<network> after <stage>`, also for the last stage.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows([record]):
        network, stage = row.measures["network"], row.measures["stage"]
        groups.setdefault(network, []).append(row._replace(label=f"{network} after {stage}"))
    several = [group for group in groups.values() if len(group) > 1]
    return [sorted(group, key=lambda row: row.measures["step"]) for group in several]


def evaluated_images(record: Record) -> str:
    """The images of an evaluation, in words."""
    return f"{record['split']} split" if record["on"] is None else f"all of {record['split']}"


def accuracy_label(records: Sequence[Record]) -> str:
    """The label of an axis of accuracies: what all records share."""
    kind = "Mean accuracy over attributes" if _shared(records, "multi_label") else "Accuracy"
    split = _shared(records, "split")
    examples = _shared(records, "examples")
    where = f" on the {split} split" if split else ""
    return f"{kind}{where}{f', {examples:,} images' if examples else ''} (%)"


def _shared(records: Sequence[Record], key: str) -> Any:
    """The value of all records, or None where they differ."""
    values = [record[key] for record in records]
    return values[0] if all(value == values[0] for value in values) else None
