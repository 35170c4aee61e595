"""Sweeps: settings of the axes with their statistics over seeds, and records with a row for each.

A *setting* is a value for each axis; its members differ in their seeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.evaluation import statistics
from kdjax.evaluation.records import Record
from kdjax.evaluation.tables import Table
from kdjax.runs import workdir, writers
from kdjax.system import progress

Setting = dict[str, Any]
"""A setting of a sweep with its accuracies, as `settings` returns it and `sweep.json` holds it."""


def parse(member: str) -> tuple[str, dict[str, Any]]:
    """`student@alpha=0.1@seed=0` as its name and its values; ` after <stage>` is left out.

    A value is a number, or the text of a formula.
    """
    name, *axes = member.partition(" after ")[0].split("@")
    values: dict[str, Any] = {}
    for axis, _, text in (axis.partition("=") for axis in axes if "=" in axis):
        try:
            values[axis] = int(text) if axis == "seed" else float(text)
        except ValueError:
            values[axis] = text
    return name, values


def value_text(value: float | str) -> str:
    """An axis's value in words."""
    return value if isinstance(value, str) else f"{value:g}"


def label(member: str) -> str:
    """A member's setting in words, without its seed: `student alpha=0.1`."""
    name, axes = parse(member)
    _, after, stage = member.partition(" after ")
    values = [f"{axis}={value_text(value)}" for axis, value in axes.items() if axis != "seed"]
    return " ".join([name, *values]) + after + stage


def write(result: Mapping[str, Any], directory: Path) -> list[Setting]:
    """Prints the table and writes `sweep.json` and `sweep.csv` to the workdir of a result; returns
    the settings."""
    every = settings(result)
    chosen = best(every)
    writers.write_json(directory / "sweep.json", {"settings": every, "best": chosen})
    writers.write_csv(directory / "sweep.csv", lines(result))
    progress.table(*table(every, chosen, str(directory)))
    return every


def lines(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A flat line for each network of each member."""
    csv_lines = []
    for member, network in result["networks"].items():
        name, axes = parse(member)
        scores = {
            f"{split}_{key}": network[split] and network[split][key]
            for split in ("validation", "test")
            for key in ("accuracy", "loss")
        }
        csv_lines.append({"network": name, **axes, "step": network["step"], **scores})
    return csv_lines


def settings(result: Mapping[str, Any]) -> list[Setting]:
    """Every setting with its accuracies by seed, in percent.

    With a baseline also the paired differences of the test accuracies from the baseline's.
    """
    by_seed: dict[tuple[str, tuple[Any, ...]], dict[int, dict[str, Any]]] = {}
    for member, network in result["networks"].items():
        if network["test"] is None:
            # An imported network: no run has scored it.
            continue
        name, values = parse(member)
        seed = values.pop("seed", result["seed"])
        by_seed.setdefault((name, tuple(values.items())), {})[seed] = network
    baselines = {axes: seeds for (name, axes), seeds in by_seed.items() if name == "baseline"}
    every = []
    for (name, axes), networks in by_seed.items():
        test = [100 * network["test"]["accuracy"] for network in networks.values()]
        scores = [network["validation"] for network in networks.values()]
        # The baseline of a setting: the axes that reach the baseline have the setting's values.
        alone = next((seeds for own, seeds in baselines.items() if set(own) <= set(axes)), {})
        paired = None
        if name != "baseline" and networks.keys() == alone.keys():
            paired = statistics.paired(
                test, [100 * alone[seed]["test"]["accuracy"] for seed in networks]
            )
        every.append(
            {
                "network": name,
                "axes": dict(axes),
                "seeds": list(networks),
                "validation": [100 * score["accuracy"] for score in scores if score],
                "test": test,
                "mean": float(np.mean(test)),
                "deviation": statistics.deviation(test),
                "against_baseline": paired._asdict() if paired else None,
            }
        )
    return every


def best(every: Sequence[Setting]) -> Setting | None:
    """The setting with the best mean on validation; None without validation or axes."""
    tried = [setting for setting in every if setting["axes"] and setting["validation"]]
    return max(tried, key=_validation, default=None)


def choose_member(
    settings: Sequence[Setting], networks: Sequence[str]
) -> tuple[Mapping[str, float], str]:
    """The first seed of the setting that was best on validation, or the member that the user named.

    Without validation no setting is chosen: the best of many test accuracies is too good.

    Returns:
        The member's values, none for a run that is no sweep; and what a caption says of it.
    """
    for name in networks:
        if values := parse(name)[1]:
            return values, f" Of {name.partition('@')[2]}."
    if not settings:
        return {}, ""
    chosen = best(settings)
    if chosen is None:
        seed = min(seed for setting in settings for seed in setting["seeds"])
        return {"seed": seed}, f" Of seed {seed:g}."
    values = chosen["axes"] | {"seed": chosen["seeds"][0]}
    words = [f"{axis} {value_text(value)}" for axis, value in values.items()]
    return values, f" Of the setting that was best on validation: {', '.join(words)}."


def belongs(row: str, member: Mapping[str, float]) -> bool:
    """Whether a row is of a member: a row without values is of every member, and so is an ensemble.

    Every row belongs to a run that is no sweep, whose `member` is empty.
    """
    return not member or "+" in row or parse(row)[1].items() <= member.items()


NO_CHOICE = (
    "No setting is named the best: no images were held out for validation, and the best of many "
    "test accuracies is too good. Choose in a sweep without data.refit."
)


def table(every: Sequence[Setting], chosen: Setting | None, where: str) -> Table:
    """A row for each setting."""
    axes = list(dict.fromkeys(axis for setting in every for axis in setting["axes"]))
    rows = []
    for setting in every:
        values, difference = setting["axes"], setting["against_baseline"]
        spread = "" if setting["deviation"] is None else f" ± {setting['deviation']:.2f}"
        rows.append(
            [
                setting["network"] + (" *" if setting is chosen else ""),
                *(value_text(values[axis]) if axis in values else "" for axis in axes),
                f"{_validation(setting):.2f} %" if setting["validation"] else "-",
                f"{setting['mean']:.2f}{spread} %",
                statistics.difference_text(difference),
                statistics.detectable_text(difference, len(setting["seeds"])),
            ]
        )
    count = max(len(setting["seeds"]) for setting in every)
    notes = []
    if chosen:
        notes.append("*: best on validation.")
    elif axes and not any(setting["validation"] for setting in every):
        notes.append(NO_CHOICE)
    differences = [setting["against_baseline"] for setting in every]
    if any(differences):
        notes.append(
            "Paired by seed; detectable: the difference that this many seeds would have shown four "
            f"times in five. {statistics.notes(differences, count)}"
        )
    over = f"means over {count} seeds, ± the standard deviation" if count > 1 else "1 seed"
    headings = ["network", *axes, "validation", "test", "against baseline, 95 %", "detectable"]
    return Table(f"{where}: {over}", headings, rows, " ".join(notes))


def sentence(every: Sequence[Setting], result: Mapping[str, Any]) -> str:
    """The best setting's test accuracy and its difference from the baseline, with its interval.

    Empty without a baseline, with a single seed, or where there are several settings and no
    validation accuracy to choose by.
    """
    compared = [setting for setting in every if setting["against_baseline"]]
    if not compared or (len(compared) > 1 and split_of(compared) != "validation"):
        return ""
    chosen = max(compared, key=_validation) if len(compared) > 1 else compared[0]
    details = [f"{axis}={value_text(value)}" for axis, value in chosen["axes"].items()]
    if len(compared) > 1:
        details.append(f"best of {len(compared)} on validation")
    name = chosen["network"] + (f" ({', '.join(details)})" if details else "")
    # The folder of another run may have been moved since.
    others = {
        name: workdir.load_result(Path(origin["workdir"]).expanduser())
        for name, origin in result["restored"].items()
    }
    teachers = [f"the {n}: on {_trained_on(other)}" for n, other in others.items() if other]
    origins = f" ({', '.join(teachers)})" if teachers else ""
    return (
        f"Trained on {_trained_on(result)} images{origins}, the {name} reaches "
        f"{chosen['mean']:.2f} % test accuracy"
        f"{_comparison(chosen['against_baseline'], len(chosen['seeds']))}"
    )


def _trained_on(result: Mapping[str, Any]) -> str:
    return f"{result['data']['examples']['train']:,}"


def _validation(setting: Setting) -> float:
    return float(np.mean(setting["validation"]))


def _comparison(difference: Mapping[str, Any], seeds: int) -> str:
    """The end of the sentence: more, less, or a difference that the seeds cannot tell from 0."""
    # 0.0 is added, because a mean of -0.001 would be printed as -0.00.
    mean = round(difference["mean"], 2) + 0.0
    if difference["interval"] is None:
        return (
            f"; the difference from the baseline, which learns alone, is {mean:+.2f} points for "
            f"each of {seeds} seeds, so that its interval is unknown."
        )
    low, high = difference["interval"]
    if low <= 0.0 <= high:
        return (
            f"; {seeds} seeds cannot tell whether that is more or less than the baseline, which "
            f"learns alone: {mean:+.2f} points [{low:+.2f}, {high:+.2f}]."
        )
    word, near, far = ("more", low, high) if mean > 0 else ("less", -high, -low)
    return (
        f", {abs(mean):.2f} points [{near:.2f}, {far:.2f}] {word} than the baseline, which "
        f"learns alone (95 % interval over {seeds} seeds, on the same images)."
    )


def split_of(every: Sequence[Setting]) -> str:
    """The split by whose accuracies settings are compared: validation, where all have it."""
    return "validation" if all(setting["validation"] for setting in every) else "test"


def by_network(every: Sequence[Setting]) -> dict[str, list[Setting]]:
    """The settings of each network that axes of numbers reach: those that can be drawn."""
    networks: dict[str, list[Setting]] = {}
    for setting in every:
        if setting["axes"] and not any(isinstance(x, str) for x in setting["axes"].values()):
            networks.setdefault(setting["network"], []).append(setting)
    return networks


def by_setting(record: Record) -> Record:
    """A sweep's record with a row for each setting in place of its members; any other as it is.

    Measures are means over seeds, `deviation` is the standard deviation of the accuracies, and
    `steps` are the steps of all seeds. Agreement is the mean over pairs of the same seed, or over
    all pairs where there is none. Confusion and reliability belong to single networks and are left
    out. Ensembles stay as they are.
    """
    if not any("@" in name for name in record["networks"]):
        return record
    groups: dict[str, list[str]] = {}
    for name in record["networks"]:
        groups.setdefault(name if "+" in name else label(name), []).append(name)
    networks = {
        name: _mean_network([record["networks"][member] for member in members])
        for name, members in groups.items()
    }
    members = record["agreement"]["networks"]
    matrix = np.asarray(record["agreement"]["matrix"])
    seeds = [parse(name)[1].get("seed") for name in members]
    same_seed = np.array([[None in (a, b) or a == b for b in seeds] for a in seeds])
    places = [[members.index(name) for name in group] for group in groups.values()]

    def agreement(rows: list[int], columns: list[int]) -> float:
        block = np.ix_(rows, columns)
        return float(matrix[block].mean(where=same_seed[block] | ~same_seed[block].any()))

    return record | {
        "networks": networks,
        "agreement": {
            "networks": list(groups),
            "matrix": [[agreement(rows, columns) for columns in places] for rows in places],
        },
    }


def _mean_network(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The measures of a setting's members, as one network's; an ensemble is alone and stays."""
    first = dict(members[0])
    if "+" in first["network"]:
        return first
    return {
        **_mean(members),
        "network": label(first["network"]),
        "stage": first["stage"],
        "steps": [member["step"] for member in members],
        "workdir": first["workdir"],
        "seeds": len(members),
        "deviation": statistics.deviation([member["accuracy"] for member in members]),
        "reliability": None,
        # Members of one network cost the same.
        "cost": first["cost"],
    }


def _mean(values: Sequence[Any]) -> Any:
    """The mean of numbers, by key in dicts; None where a value is None or no number."""
    first = values[0]
    if isinstance(first, Mapping) and all(isinstance(value, Mapping) for value in values):
        return {key: _mean([value[key] for value in values]) for key in first}
    if all(isinstance(value, int | float) for value in values):
        return float(np.mean(values))
    return None
