"""What a sweep leaves beside what every run does: tables, statistics over seeds, a picture."""

from pathlib import Path
from typing import Any

import numpy as np

from kdjax import progress, statistics, writers

Figures = dict[str, Any]


def write(result: Figures, directory: Path) -> None:
    """Prints the table and writes `sweep.json`, `sweep.csv` and, where it can, the heat map.

    Args:
        result: of the run.
        directory: the workdir.
    """
    found = settings(result)
    chosen = best(found)
    writers.write_json(directory / "sweep.json", {"settings": found, "best": chosen})
    writers.write_csv(directory / "sweep.csv", lines(result))
    show(found, chosen, directory)
    picture(found, directory)


def lines(result: Figures) -> list[Figures]:
    """A flat line for each network of each member."""
    found = []
    for key, figures in result["networks"].items():
        name, axes = parse(key)
        line = {"network": name, **axes, "step": figures["step"]}
        for split in ("validation", "test"):
            score = figures[split]
            line[f"{split}_accuracy"] = score["accuracy"] if score else None
            line[f"{split}_loss"] = score["loss"] if score else None
        found.append(line)
    return found


def parse(key: str) -> tuple[str, dict[str, float]]:
    """`student@alpha=0.1@seed=0` as its name and its values."""
    name, *axes = key.split("@")
    pairs = (axis.partition("=") for axis in axes if "=" in axis)
    return name, {axis: int(value) if axis == "seed" else float(value) for axis, _, value in pairs}


def settings(result: Figures) -> list[Figures]:
    """Every setting of the axes with its accuracies by seed, in percent.

    With a baseline also the test accuracies' paired differences from it, by seed.
    """
    grouped: dict[tuple[str, tuple[Any, ...]], dict[int, Figures]] = {}
    for key, figures in result["networks"].items():
        name, axes = parse(key)
        seed = axes.pop("seed", result["seed"])
        grouped.setdefault((name, tuple(axes.items())), {})[int(seed)] = figures
    found = []
    for (name, values), seeds in grouped.items():
        test = [100 * one["test"]["accuracy"] for one in seeds.values()]
        held = [one["validation"] for one in seeds.values()]
        validation = [100 * score["accuracy"] for score in held if score]
        paired, alone = None, _baseline(grouped, dict(values))
        if name != "baseline" and seeds.keys() == alone.keys():
            pairs = statistics.paired(
                test, [100 * alone[seed]["test"]["accuracy"] for seed in seeds]
            )
            paired = pairs._asdict() if pairs else None
        found.append(
            {
                "network": name,
                "axes": dict(values),
                "seeds": list(seeds),
                "validation": validation,
                "test": test,
                "mean": float(np.mean(test)),
                "deviation": statistics.deviation(test),
                "against_baseline": paired,
            }
        )
    return found


def _baseline(
    grouped: dict[tuple[str, tuple[Any, ...]], dict[int, Figures]], axes: dict[str, float]
) -> dict[int, Figures]:
    """By seed, the baseline of a setting: the axes that reach it have the setting's values."""
    for (name, values), seeds in grouped.items():
        if name == "baseline" and dict(values).items() <= axes.items():
            return seeds
    return {}


def best(found: list[Figures]) -> Figures | None:
    """The setting with the best mean on validation; None without validation or settings."""
    tried = [one for one in found if one["axes"] and one["validation"]]
    return max(tried, key=lambda one: np.mean(one["validation"]), default=None)


def show(found: list[Figures], chosen: Figures | None, directory: Path) -> None:
    """Prints a row for each setting."""
    axes = list(dict.fromkeys(axis for one in found for axis in one["axes"]))
    rows = []
    for one in found:
        paired = one["against_baseline"]
        gain = ""
        if paired:
            low, high = paired["interval"]
            gain = f"{paired['mean']:+.2f} [{low:+.2f}, {high:+.2f}]"
        spread = "" if one["deviation"] is None else f" ± {one['deviation']:.2f}"
        held = f"{np.mean(one['validation']):.2f} %" if one["validation"] else "-"
        rows.append(
            [
                one["network"] + (" *" if one is chosen else ""),
                *(f"{one['axes'][axis]:g}" if axis in one["axes"] else "" for axis in axes),
                held,
                f"{one['mean']:.2f}{spread} %",
                gain,
                f"{paired['detectable']:.2f}" if paired else "",
            ]
        )
    count = max(len(one["seeds"]) for one in found)
    progress.table(
        f"{directory}: means over {count} seed{'s' * (count > 1)}",
        ["network", *axes, "validation", "test", "against baseline, 95 %", "detectable"],
        rows,
        "* best on validation. Paired by seed; detectable: the difference that this many seeds "
        "would have shown four times in five.",
    )


def picture(found: list[Figures], directory: Path) -> None:
    """A heat map for each network of a grid over alpha and temperature alone, or a line that says
    what it needs."""
    of: dict[str, list[Figures]] = {}
    for one in found:
        if one["axes"].keys() == {"alpha", "temperature"}:
            of.setdefault(one["network"], []).append(one)
    if not of:
        return
    try:
        from kdjax.charts import grid, style
    except ImportError:
        print("for the heat map: pip install matplotlib")
        return
    for network, mine in of.items():
        split = "validation" if all(one["validation"] for one in mine) else "test"
        cells = [one["axes"] | {"accuracy": value / 100} for one in mine for value in one[split]]
        drawn = grid.alpha_temperature(cells, split=split)
        if drawn is not None:
            print(style.save(drawn, directory, f"alpha-temperature-{network}"))
