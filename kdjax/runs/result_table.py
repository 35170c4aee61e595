"""The final table of a run."""

from pathlib import Path
from typing import Any

from kdjax.system.progress import table


def show(result: dict[str, Any], directory: Path) -> None:
    """Prints every network's scores, and where the rest is."""
    baseline = result["networks"].get("baseline")
    columns = ["network", "parameters", "step", "validation", "test", "last step"]
    if baseline:
        columns.append("gain")
    rows = []
    for name, scores in result["networks"].items():
        row = [*_cells(name, scores), _percent(scores["last"]["test"])]
        if baseline and scores["test"]:
            gain = scores["test"]["accuracy"] - baseline["test"]["accuracy"]
            row.append("" if name == "baseline" else f"{100 * gain:+.2f}")
        row += [""] * (len(columns) - len(row))
        rows.append(row)
    for name, origin in result["restored"].items():
        row = _cells(f"{name} of {origin['workdir']}", origin)
        rows.append(row + [""] * (len(columns) - len(row)))
    seconds = sum(stage["seconds"] for stage in result["stages"].values())
    data = result["data"]
    examples = data["examples"]
    caption = [
        "Accuracy at the selected step, and on test at the last one"
        + ("; gain: test accuracy against the baseline, in points." if baseline else "."),
        f"Seed {result['seed']}, {examples['train']:,} training and "
        f"{examples.get('test', 0):,} test images; trained in {seconds:.0f} s. {directory}",
    ]
    table(f"{result['method']} on {data['name']}", columns, rows, "\n".join(caption))


def _cells(name: str, scores: dict[str, Any]) -> list[str]:
    counts = [f"{scores[key]:,}" for key in ("parameters", "step")]
    return [name, *counts, _percent(scores["validation"]), _percent(scores["test"])]


def _percent(score: dict[str, float] | None) -> str:
    return f"{score['accuracy']:.2%}" if score else "-"
