"""What experiments/methods.py prints, and the table of docs/methods.md."""

from typing import Any

from kdjax.evaluation import statistics
from kdjax.system import progress

_PAIRED = ("against", "adds")


def show_tuning(record: dict[str, Any]) -> None:
    """Prints what was tried."""
    rows = [
        [
            label,
            str(one["settings"]),
            f"{one['mean']:.2f} %",
            "*" * (one["settings"] == found["chosen"]),
        ]
        for label, found in record["tuning"].items()
        for one in found["tried"]
    ]
    title = f"{record['dataset']}: validation accuracy, {len(record['seeds'])} seeds"
    progress.table(title, ["method", "settings", "mean", "chosen"], rows)


def show(record: dict[str, Any]) -> None:
    """Prints one row for each network."""
    rows, seeds = [], len(record["seeds"])
    for row in record["rows"]:
        against = row["against"]
        rows.append(
            [
                f"{row['method']}: {row['network']}",
                f"{row['mean']:.2f} %",
                "-" if row["deviation"] is None else f"{row['deviation']:.2f}",
                statistics.difference_text(against),
                statistics.detectable_text(against, seeds),
                statistics.difference_text(row["adds"]),
            ]
        )
    progress.table(
        f"{record['dataset']}, {record['fraction']:.0%} of the training images: test accuracy, "
        f"{seeds} seeds",
        ["network", "mean", "deviation", "against alone, 95 % interval", "detectable", "adds"],
        rows,
        "Paired by seed. Detectable: the difference that would have been seen four times in five. "
        "Adds: against soft targets, or against the same network before mutual learning. "
        + statistics.notes([row[key] for row in record["rows"] for key in _PAIRED], seeds),
    )


def markdown(record: dict[str, Any]) -> str:
    """The rows of `show` as a table in Markdown."""
    lines = ["| method | network | config | settings | test accuracy | against alone | adds |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for row in record["rows"]:
        spread = ", one run" if row["deviation"] is None else f" ± {row['deviation']:.2f}"
        settings = ", ".join(f"{key} {value:g}" for key, value in row["settings"].items())
        name = row["network"].replace("+", " + ")
        cells = [
            row["method"],
            f"`{name}`",
            f"`{row['config'].removeprefix('configs/')}`",
            settings,
            f"{row['mean']:.2f}{spread}",
            *(statistics.difference_text(row[key]) for key in _PAIRED),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
