"""The final table of a run."""

from pathlib import Path
from typing import Any

from kdjax.system.progress import table


def show(result: dict[str, Any], directory: Path) -> None:
    """Prints every network's figures, and where the rest is."""
    networks = result["networks"]
    baseline = networks.get("baseline")
    columns = ["network", "parameters", "step", "validation", "test", "last step"]
    if baseline:
        columns.append("gain")
    rows = []
    for name, figures in networks.items():
        row = [
            name,
            f"{figures['parameters']:,}",
            f"{figures['step']:,}",
            _percent(figures["validation"]),
            _percent(figures["test"]),
            _percent(figures["last"]["test"]),
        ]
        if baseline:
            gain = figures["test"]["accuracy"] - baseline["test"]["accuracy"]
            row.append("" if name == "baseline" else f"{100 * gain:+.2f}")
        rows.append(row)
    for name, origin in result["restored"].items():
        tests = [_percent(origin[split]) for split in ("validation", "test")]
        row = [f"{name} of {origin['workdir']}", f"{origin['parameters']:,}"]
        rows.append([*row, f"{origin['step']:,}", *tests, *[""] * (len(columns) - 5)])
    seconds = sum(stage["seconds"] for stage in result["stages"].values())
    data = result["data"]
    examples = data["examples"]
    caption = [
        "Accuracy at the selected step, and on test at the last one"
        + ("; gain: test accuracy against the baseline, in points." if baseline else "."),
        f"Seed {result['seed']}, {examples['train']:,} training and {examples['test']:,} test "
        f"images; trained in {seconds:.0f} s. {directory}",
    ]
    table(f"{result['method']} on {data['name']}", columns, rows, "\n".join(caption))


def _percent(score: dict[str, float] | None) -> str:
    return f"{score['accuracy']:.2%}" if score else "-"
