"""Evaluations as the page of results shows them: tables as `kdjax evaluate` prints them, charts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdjax.evaluation import records, sweep_settings, tables
from kdjax.evaluation.records import Record
from kdjax.evaluation.sweep_settings import Setting
from kdjax.evaluation.tables import Table


def make(runs: Sequence[Record], settings: Sequence[Sequence[Setting]]) -> dict[str, Any]:
    """All that the page shows of the evaluated runs.

    Args:
        runs: an evaluation's record for each run.
        settings: a sweep's settings for each run; none for a run that is no sweep.

    Returns:
        `sizes`: for each data set and split the networks that runs end with, their accuracy in
        percent, size and times; `agreement`, `histories` and `sweeps`: charts of single runs, each
        with the run's name; `tables` and `notes`.
    """
    shown = [sweep_settings.by_setting(record) for record in runs]
    names = records.run_labels(shown)
    return {
        "sizes": _sizes(shown),
        "agreement": [
            {"run": name, **record["agreement"]}
            for name, record in zip(names, shown, strict=True)
            if len(record["agreement"]["networks"]) > 1
        ],
        "histories": [
            {"run": name, "networks": lines}
            for name, record in zip(names, shown, strict=True)
            if (lines := _histories(record))
        ],
        "sweeps": [
            {"run": name, "networks": charts}
            for name, own in zip(names, settings, strict=True)
            if (charts := sweep_charts(own))
        ],
        "tables": [
            table._asdict() for table in [*_sweep_tables(shown, settings), *tables.tables(shown)]
        ],
        "notes": tables.notes(runs),
    }


def _sizes(runs: Sequence[Record]) -> list[dict[str, Any]]:
    """The networks with their sizes; accuracies on different images are not compared."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in runs:
        key = record["dataset"], records.evaluated_images(record)
        groups.setdefault(key, []).append(record)
    keys = ("parameters", "megabytes", "flops", "latency_median")
    return [
        {
            "dataset": dataset,
            "accuracy_label": records.accuracy_label(group),
            "points": [
                {
                    "network": row.label,
                    "accuracy": 100 * row.measures["accuracy"],
                    **{key: row.measures["cost"][key] for key in keys},
                }
                for row in records.headline(group)
                if row.measures["cost"]
            ],
        }
        for (dataset, _), group in groups.items()
    ]


def _histories(record: Record) -> list[dict[str, Any]]:
    """For each network that several stages trained, its accuracy after each, in percent."""
    return [
        {
            "network": rows[0].measures["network"],
            "stages": [row.measures["stage"] for row in rows],
            "accuracies": [100 * row.measures["accuracy"] for row in rows],
        }
        for rows in records.histories(record)
    ]


def _sweep_tables(runs: Sequence[Record], settings: Sequence[Sequence[Setting]]) -> list[Table]:
    return [
        sweep_settings.table(own, sweep_settings.best(own), str(Path(record["workdir"])))
        for record, own in zip(runs, settings, strict=True)
        if own
    ]


def sweep_charts(settings: Sequence[Setting]) -> list[dict[str, Any]]:
    """For each network that one or two axes of numbers reach: the axes, and for each setting their
    values, the mean accuracy in percent on `split`, its deviation and the number of seeds."""
    charts = []
    for network, own in sweep_settings.by_network(settings).items():
        axes = list(dict.fromkeys(axis for setting in own for axis in setting["axes"]))
        if len(axes) > 2:
            continue
        split = sweep_settings.split_of(own)
        charts.append(
            {
                "network": network,
                "axes": axes,
                "split": split,
                "cells": [
                    {
                        "values": [setting["axes"].get(axis) for axis in axes],
                        "mean": sum(setting[split]) / len(setting[split]),
                        "lowest": min(setting[split]),
                        "highest": max(setting[split]),
                        "seeds": len(setting["seeds"]),
                    }
                    for setting in own
                ],
            }
        )
    return charts
