"""What a sweep leaves beside what every run does: tables, statistics over seeds."""

from pathlib import Path
from typing import Any

import numpy as np

from kdjax.evaluation import statistics
from kdjax.evaluation.result_tables import Table
from kdjax.runs import writers
from kdjax.system import progress

Figures = dict[str, Any]


def write(result: Figures, directory: Path) -> list[Figures]:
    """Prints the table and writes `sweep.json` and `sweep.csv`; returns the settings.

    Args:
        result: of the run.
        directory: the workdir.
    """
    found = settings(result)
    chosen = best(found)
    writers.write_json(directory / "sweep.json", {"settings": found, "best": chosen})
    writers.write_csv(directory / "sweep.csv", lines(result))
    progress.table(*table(found, chosen, str(directory)))
    return found


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
    """`student@alpha=0.1@seed=0` as its name and its values; ` after <stage>` is left out."""
    name, *axes = key.partition(" after ")[0].split("@")
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


NO_CHOICE = (
    "No setting is named the best: no images were held out for validation, and the best of many "
    "test accuracies is too good. Choose in a sweep without data.refit."
)


def table(found: list[Figures], chosen: Figures | None, where: str) -> Table:
    """A row for each setting."""
    axes = list(dict.fromkeys(axis for one in found for axis in one["axes"]))
    rows = []
    for one in found:
        spread = "" if one["deviation"] is None else f" ± {one['deviation']:.2f}"
        held = f"{np.mean(one['validation']):.2f} %" if one["validation"] else "-"
        rows.append(
            [
                one["network"] + (" *" if one is chosen else ""),
                *(f"{one['axes'][axis]:g}" if axis in one["axes"] else "" for axis in axes),
                held,
                f"{one['mean']:.2f}{spread} %",
                statistics.difference_text(one["against_baseline"]),
                statistics.detectable_text(one["against_baseline"], len(one["seeds"])),
            ]
        )
    count = max(len(one["seeds"]) for one in found)
    said = []
    if chosen:
        said.append("*: best on validation.")
    elif axes and not any(one["validation"] for one in found):
        said.append(NO_CHOICE)
    differences = [one["against_baseline"] for one in found]
    if any(differences):
        said.append(
            "Paired by seed; detectable: the difference that this many seeds would have shown four "
            f"times in five. {statistics.notes(differences, count)}"
        )
    over = f"means over {count} seeds, ± the standard deviation" if count > 1 else "1 seed"
    return Table(
        f"{where}: {over}",
        ["network", *axes, "validation", "test", "against baseline, 95 %", "detectable"],
        rows,
        " ".join(said),
    )


def split_of(found: list[Figures]) -> str:
    """The split by whose accuracies settings are compared: validation, where all have it."""
    return "validation" if all(one["validation"] for one in found) else "test"


def by_network(found: list[Figures]) -> dict[str, list[Figures]]:
    """The settings of each network that axes reach."""
    of: dict[str, list[Figures]] = {}
    for one in found:
        if one["axes"]:
            of.setdefault(one["network"], []).append(one)
    return of


def cells(mine: list[Figures]) -> list[dict[str, float]]:
    """What the heat map of one network's settings shows; nothing where other axes are swept."""
    if any(one["axes"].keys() != {"alpha", "temperature"} for one in mine):
        return []
    split = split_of(mine)
    return [one["axes"] | {"accuracy": value / 100} for one in mine for value in one[split]]
