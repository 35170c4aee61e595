"""An evaluation's record of a sweep with one row for each setting: means over its seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kdjax.evaluation import statistics, sweep_tables

Record = dict[str, Any]


def label(row: str) -> str:
    """A member's setting in words, without its seed: `student alpha=0.1`."""
    name, axes = sweep_tables.parse(row)
    _, after, stage = row.partition(" after ")
    values = [f"{axis}={value:g}" for axis, value in axes.items() if axis != "seed"]
    return " ".join([name, *values]) + after + stage


def by_setting(record: Record) -> Record:
    """The record with a row for each setting in place of its members; no sweep's stays as it is.

    Measures are means over seeds, `deviation` is the standard deviation of the accuracies, and
    `steps` are the steps of all seeds. Agreement is the mean over pairs of the same seed. What
    belongs to single networks, confusion and reliability, is left out. Ensembles stay as they are.
    """
    if not any("@" in row for row in record["networks"]):
        return record
    groups: dict[str, list[str]] = {}
    for row in record["networks"]:
        groups.setdefault(row if "+" in row else label(row), []).append(row)
    networks = {name: _mean_row(record, name, rows) for name, rows in groups.items()}
    names, matrix = list(groups), record["agreement"]["matrix"]
    place = {row: index for index, row in enumerate(record["agreement"]["networks"])}
    shares = [
        [
            float(
                np.mean([matrix[place[a]][place[b]] for a, b in _same_seed(groups[x], groups[y])])
            )
            for y in names
        ]
        for x in names
    ]
    return record | {"networks": networks, "agreement": {"networks": names, "matrix": shares}}


def _mean_row(record: Record, name: str, rows: Sequence[str]) -> dict[str, Any]:
    members = [record["networks"][row] for row in rows]
    first = members[0]
    if "+" in name:
        return first
    accuracies = [member["accuracy"] for member in members]
    return {
        **_mean(members),
        "network": label(first["network"]),
        "stage": first["stage"],
        "steps": [member["step"] for member in members],
        "workdir": first["workdir"],
        "seeds": len(members),
        "deviation": statistics.deviation(accuracies),
        "confusion": None,
        "reliability": None,
        # Members of one network cost the same.
        "cost": first["cost"],
    }


def _mean(values: Sequence[Any]) -> Any:
    """Of numbers in like trees of dicts; None where one is None, and of what is no number."""
    first = values[0]
    if isinstance(first, Mapping) and all(isinstance(value, Mapping) for value in values):
        return {key: _mean([value[key] for value in values]) for key in first}
    if all(isinstance(value, int | float) for value in values):
        return float(np.mean(values))
    return None


def _same_seed(rows: Sequence[str], others: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of the same seed; all pairs, where one of both has none."""
    pairs = [(row, other) for row in rows for other in others]
    seeds = {row: sweep_tables.parse(row)[1].get("seed") for row in (*rows, *others)}
    alike = [(a, b) for a, b in pairs if None in (seeds[a], seeds[b]) or seeds[a] == seeds[b]]
    return alike or pairs
