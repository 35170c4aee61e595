"""The tables that experiments/methods.py prints, and the table of docs/methods.md."""

from typing import Any

from experiments import repeat
from kdjax.evaluation import statistics
from kdjax.system import progress


def show_tuning(record: dict[str, Any]) -> None:
    """Prints the settings that were tried, with a star at those that were chosen."""
    rows = [
        [
            label,
            str(trial["settings"]),
            f"{trial['mean']:.2f} %",
            "*" * (trial["settings"] == tuning["chosen"]),
        ]
        for label, tuning in record["tuning"].items()
        for trial in tuning["tried"]
    ]
    title = f"{record['dataset']}: validation accuracy, {len(record['seeds'])} seeds"
    progress.table(title, ["method", "settings", "mean", "chosen"], rows)


def show(record: dict[str, Any]) -> None:
    """Prints one row for each network."""
    seeds = len(record["seeds"])
    differences = [row[key] for row in record["rows"] for key in ("against", "adds")]
    progress.table(
        f"{record['dataset']}, {record['fraction']:.0%} of the training images: test accuracy, "
        f"{seeds} seeds",
        ["network", "mean", "deviation", "against alone, 95 % interval", "detectable", "adds"],
        [
            [
                f"{row['method']}: {row['network']}",
                *repeat.cells(row, row["against"], seeds),
                statistics.difference_text(row["adds"]),
            ]
            for row in record["rows"]
        ],
        "Paired by seed. Detectable: the difference that would have been seen four times in five. "
        "Adds: against soft targets, or against the same network before mutual learning. "
        + statistics.notes(differences, seeds),
    )


def markdown(record: dict[str, Any]) -> str:
    """The rows of `show` as a table in Markdown."""
    lines = [
        "| method | network | config | settings | test accuracy | against alone | adds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in record["rows"]:
        spread = ", one run" if row["deviation"] is None else f" ± {row['deviation']:.2f}"
        cells = [
            row["method"],
            f"`{row['network'].replace('+', ' + ')}`",
            f"`{row['config'].removeprefix('configs/')}`",
            ", ".join(f"{key} {value:g}" for key, value in row["settings"].items()),
            f"{row['mean']:.2f}{spread}",
            statistics.difference_text(row["against"]),
            statistics.difference_text(row["adds"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
