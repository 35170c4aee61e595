"""What a report shows of a sweep: settings in place of members, and one member's figures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kdjax.evaluation import sweep_settings
from kdjax.evaluation.tables import Table
from kdjax.runs import workdir

Rows = list[dict[str, Any]]


class Member(NamedTuple):
    """The member whose own figures are shown."""

    axes: dict[str, float]
    """Its values; none for a run that is no sweep."""
    about: str
    """What a caption says of it."""


def member(directory: Path, named: Sequence[str]) -> Member:
    """The first seed of the setting that was best on validation, or what the user has named.

    Without validation no setting is chosen: the best of many test accuracies is too good.

    Args:
        directory: the workdir.
        named: networks that the user asked for.
    """
    asked = [row for row in named if sweep_settings.parse(row)[1]]
    if asked:
        return Member(sweep_settings.parse(asked[0])[1], f" Of {asked[0].partition('@')[2]}.")
    found = settings(directory)
    if not found:
        return Member({}, "")
    chosen = sweep_settings.best(found)
    if chosen:
        seed = {"seed": chosen["seeds"][0]}
        values = ", ".join(f"{key} {value:g}" for key, value in (chosen["axes"] | seed).items())
        return Member(
            chosen["axes"] | seed, f" Of the setting that was best on validation: {values}."
        )
    first = {"seed": min(seed for one in found for seed in one["seeds"])}
    return Member(first, f" Of seed {first['seed']:g}.")


def notes(directories: Sequence[Path], named: Sequence[str]) -> list[str]:
    """For each sweep in which no setting is chosen, why, and how to see a member's own figures."""
    said = []
    for directory in directories:
        found = settings(directory)
        swept = any(one["axes"] for one in found)
        if swept and not named and not sweep_settings.best(found):
            said.append(
                f"{directory}: {sweep_settings.NO_CHOICE} Name a member to see figures of its own: "
                "--networks=teacher,student@..."
            )
    return said


def settings(directory: Path) -> list[dict[str, Any]]:
    """Those of a sweep, from its result; none of another run or of one that has no result yet."""
    result = workdir.load_result(directory) or {"networks": {}}
    swept = any("@" in key for key in result["networks"])
    return sweep_settings.settings(result) if swept else []


def is_of(name: str, axes: dict[str, float]) -> bool:
    """Whether a member's name agrees with these values; one without values always does."""
    return sweep_settings.parse(name.split("/")[0])[1].items() <= axes.items()


def log_of(rows: Rows, axes: dict[str, float]) -> Rows:
    """A sweep's log as that of the run of one member; another run's stays as it is."""
    if not axes:
        return rows

    def mine(row: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for key, value in row.items():
            parts = key.split("/")
            if all(is_of(part, axes) for part in parts):
                found["/".join(part.split("@")[0] for part in parts)] = value
        return found

    return [mine(row) for row in rows]


Courses = dict[str, list[tuple[list[float], list[float]]]]


def courses(rows: Rows) -> tuple[Courses, str]:
    """The accuracies in percent of every setting of a sweep, for each seed over its steps.

    Returns:
        They and what they are: validation accuracies, or without them those of training.
    """
    for kind, label in (
        ("val", "Accuracy on the validation split (%)"),
        ("train", "Training accuracy (%)\n(means between points)"),
    ):
        of: dict[str, tuple[list[float], list[float]]] = {}
        for row in rows:
            for key, value in row.items():
                parts = key.split("/")
                if len(parts) == 3 and (parts[0], parts[2]) == (kind, "accuracy"):
                    steps, accuracies = of.setdefault(parts[1], ([], []))
                    steps.append(row["step"])
                    accuracies.append(100 * value)
        swept: Courses = {}
        for name, course in of.items():
            if "@" in name:
                swept.setdefault(sweep_settings.label(name), []).append(course)
        if swept:
            return swept, label
    return {}, ""


def tables(directories: Sequence[Path]) -> list[Table]:
    """For each sweep the means over seeds of every setting."""
    return [
        sweep_settings.table(found, sweep_settings.best(found), str(directory))
        for directory in directories
        if (found := settings(directory))
    ]


def grids(
    found: Sequence[dict[str, Any]], directories: Sequence[Path]
) -> dict[str, tuple[str, list[dict[str, float]]]]:
    """Of each method and data set whose students differ in both alpha and temperature, in several
    runs or as members of a sweep, the split and their accuracies on it: validation where all have
    it."""
    groups: dict[str, list[tuple[dict[str, float], dict[str, Any]]]] = {}
    for record, directory in zip(found, directories, strict=True):
        result = workdir.load_result(directory) or {"networks": {}}
        own = {key: record[key] for key in ("alpha", "temperature")}
        for key, figures in result["networks"].items():
            name, axes = sweep_settings.parse(key)
            if name == "student":
                rest = axes.keys() - own.keys() - {"seed"}
                others = "".join(f", {axis} {axes[axis]:g}" for axis in sorted(rest))
                label = f"{record['method']} on {record['dataset']}{others}"
                cell = {axis: axes.get(axis, value) for axis, value in own.items()}
                groups.setdefault(label, []).append((cell, figures))
    made = {}
    for label, students in groups.items():
        split = "validation" if all(one["validation"] for _, one in students) else "test"
        cells = [cell | {"accuracy": one[split]["accuracy"]} for cell, one in students]
        if all(len({cell[key] for cell in cells}) > 1 for key in ("alpha", "temperature")):
            made[label] = (split, cells)
    return made
