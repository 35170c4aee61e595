"""Which figures a report has, in order, and what is said below each."""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy import special

from kdjax import evaluation_tables, maps, sweep_tables, workdir, writers
from kdjax.charts import (
    accuracy,
    attention,
    attributes,
    calibration,
    confusion,
    curves,
    fidelity,
    grid,
    records,
    size,
    style,
)
from kdjax.evaluation import Predictions
from kdjax.examine import Examined
from kdjax.figures import pairs
from kdjax.progress import Bar

_CONFUSIONS = 4
"""Confusion matrices of one run, at most."""


class Section(NamedTuple):
    """A figure on disk."""

    heading: str
    path: Path
    """Of the PNG; the SVG is beside it."""
    caption: str


class _Wanted(NamedTuple):
    heading: str
    name: str
    caption: str
    draw: Callable[[], Figure | None]


def make(
    examined: Sequence[Examined],
    directories: Sequence[Path],
    *,
    images: int,
    layers: Sequence[str],
    folder: Path,
) -> list[Section]:
    """Draws and saves every figure that there is something to draw for.

    Args:
        examined: the runs.
        directories: their workdirs.
        images: with attention maps, for each run.
        layers: of which; none for the last maps that all networks have.
        folder: where the figures go.

    Raises:
        UserError: no network has such a layer.
    """
    wanted = [*_of_all(examined, directories)]
    labels = records.run_labels([one.record for one in examined])
    for place, (one, directory) in enumerate(zip(examined, directories, strict=True)):
        about = f": {labels[place]}" if len(examined) > 1 else ""
        wanted += [
            each._replace(heading=each.heading + about, name=f"{each.name}-{place}")
            for each in _of_one(one, directory, images, layers)
        ]
    sections = []
    with Bar("drawing", len(wanted)) as bar:
        for done, one_wanted in enumerate(wanted, start=1):
            drawn = one_wanted.draw()
            if drawn is not None:
                path = style.save(drawn, folder, one_wanted.name)
                sections.append(Section(one_wanted.heading, path, one_wanted.caption))
            bar.to(done)
    return sections


def _of_all(examined: Sequence[Examined], directories: Sequence[Path]) -> Iterator[_Wanted]:
    found = [one.record for one in examined]
    yield _Wanted(
        "Accuracy",
        "accuracy",
        "Every network as its run left it.",
        lambda: accuracy.bars(found),
    )
    yield _Wanted(
        "Size against accuracy",
        "size",
        "Trained values of each network; the scale of sizes is logarithmic.",
        lambda: size.size_against_accuracy(found),
    )
    yield _Wanted(
        "Compression",
        "compression",
        "Bytes of all values, BatchNorm's statistics included, and their share of the teacher's.",
        lambda: size.compression(found),
    )
    yield _Wanted(
        "Speed",
        "speed",
        "Compiled predictions, each waited for; networks take turns.",
        lambda: size.throughput(found),
    )
    for place, (name, trials) in enumerate(_grids(found, directories).items()):
        split, cells = trials
        yield _Wanted(
            f"Alpha and temperature: {name}",
            f"grid-{place}",
            "Each cell is a run, or the mean of several seeds.",
            functools.partial(grid.alpha_temperature, cells, split=split),
        )
    if len(examined) > 1:
        yield _Wanted(
            "Agreement between runs",
            "agreement",
            "The share of images on which two networks predict the same.",
            lambda: fidelity.agreement(_together(examined)),
        )


def _of_one(
    one: Examined, directory: Path, images: int, layers: Sequence[str]
) -> Iterator[_Wanted]:
    record = one.record
    axes = _best_member(directory)
    shown = [row for row in evaluation_tables.final(record) if _is_of(row, axes)]
    if axes:
        about = ", ".join(f"{key} {value:g}" for key, value in axes.items())
        about = f" Of the member that was best on validation: {about}."
    else:
        about = ""
    yield _Wanted(
        "Before and after",
        "before-and-after",
        "Networks that several stages train, as each stage left them.",
        lambda: accuracy.before_and_after(record),
    )
    yield _Wanted(
        "Likeness to the teacher, before and after",
        "likeness",
        "Divergence from the teacher's predictions, cross-entropy with the labels, and cosine.",
        lambda: fidelity.before_and_after(record),
    )
    yield _Wanted(
        "Agreement",
        "agreement",
        "The share of images on which two networks predict the same.",
        lambda: fidelity.agreement(record),
    )
    yield _Wanted(
        "Training",
        "training",
        "From metrics.jsonl: terms of the loss before their weights, accuracy, and what is "
        f"scheduled.{about}",
        lambda: curves.training(_of_member(writers.logged(directory), axes)),
    )
    if record["multi_label"]:
        yield _Wanted(
            "Attributes",
            "attributes",
            "Accuracy on each attribute, beside always giving the more frequent answer.",
            lambda: attributes.dots(record),
        )
    else:
        for row in shown[:_CONFUSIONS]:
            yield _Wanted(
                f"Confusion of {row}",
                f"confusion-{row}",
                "Counts of images; shade is the share of the true class.",
                functools.partial(confusion.matrix, record, row),
            )
    yield _Wanted(
        "Calibration",
        "calibration",
        "Accuracy against confidence; on the diagonal a network is as often right as it says.",
        lambda: calibration.reliability(record),
    )
    if images:
        yield _Wanted(
            "Where networks look",
            "attention",
            "Attention maps (the mean over channels of squared activations) over the same images; "
            "the last ones are images on which networks disagree, where there are any.",
            lambda: _attention(one, shown, images, layers),
        )


def _best_member(directory: Path) -> dict[str, float]:
    """The axes' values of a sweep's best network, on validation or else on test; none of others."""
    result = workdir.load_result(directory) or {"networks": {}}
    tried = [
        ((figures["validation"] or figures["test"])["accuracy"], axes)
        for key, figures in result["networks"].items()
        if (axes := sweep_tables.parse(key)[1])
    ]
    most = max((len(axes) for _, axes in tried), default=0)
    whole = [(score, axes) for score, axes in tried if len(axes) == most]
    return max(whole, key=lambda one: one[0], default=(0.0, {}))[1]


def _is_of(name: str, axes: dict[str, float]) -> bool:
    """Whether a member's name agrees with these values; one without values always does."""
    return sweep_tables.parse(name.split("/")[0])[1].items() <= axes.items()


def _of_member(rows: list[dict[str, Any]], axes: dict[str, float]) -> list[dict[str, Any]]:
    """A sweep's log as that of the run of one member; another run's stays as it is."""
    if not axes:
        return rows

    def mine(row: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for key, value in row.items():
            parts = key.split("/")
            if all(_is_of(part, axes) for part in parts):
                found["/".join(part.split("@")[0] for part in parts)] = value
        return found

    return [mine(row) for row in rows]


def _attention(
    one: Examined, rows: Sequence[str], count: int, layers: Sequence[str]
) -> Figure | None:
    # Ensembles have no activations of their own.
    shown = [row for row in rows if "+" not in row]
    if not shown:
        return None
    made = maps.make(one, shown, layers, maps.telling(one, shown, count))
    names = one.record["class_names"]
    labels = one.split.label[made.rows]
    if one.record["multi_label"]:
        truth = [f"{len(names)} of {len(names)} right"] * len(labels)
        answers = {r: _right(one.outputs[r], made.rows, labels) for r in shown}
    else:
        truth = [names[label] for label in labels]
        answers = {r: _classes(one.outputs[r], made.rows, names) for r in shown}
    return attention.side_by_side(made.images, made.of, answers, truth)


def _classes(
    outputs: Predictions, rows: np.ndarray, names: Sequence[str]
) -> list[tuple[str, float]]:
    p = special.softmax(np.asarray(outputs.logits[rows], np.float64), axis=1)
    return [(names[one.argmax()], float(one.max())) for one in p]


def _right(outputs: Predictions, rows: np.ndarray, labels: np.ndarray) -> list[tuple[str, float]]:
    """How many attributes are right, and the mean probability that they were given."""
    logits = np.asarray(outputs.logits[rows], np.float64)
    right = ((logits > 0) == (labels > 0.5)).sum(axis=1)
    sure = special.expit(np.abs(logits)).mean(axis=1)
    count = logits.shape[1]
    return [(f"{n} of {count} right", float(p)) for n, p in zip(right, sure, strict=True)]


def _grids(
    found: Sequence[dict[str, Any]], directories: Sequence[Path]
) -> dict[str, tuple[str, list[dict[str, float]]]]:
    """Of each method and data set whose students differ in both alpha and temperature, in several
    runs or as members of a sweep, their accuracies, on validation where all have it."""
    groups: dict[str, list[tuple[dict[str, float], dict[str, Any]]]] = {}
    for record, directory in zip(found, directories, strict=True):
        result = workdir.load_result(directory) or {"networks": {}}
        own = {key: record[key] for key in ("alpha", "temperature")}
        for key, figures in result["networks"].items():
            name, axes = sweep_tables.parse(key)
            if name == "student":
                rest = axes.keys() - own.keys() - {"seed"}
                others = "".join(f", {axis} {axes[axis]:g}" for axis in sorted(rest))
                label = f"{record['method']} on {record['dataset']}{others}"
                cell = {axis: axes.get(axis, value) for axis, value in own.items()}
                groups.setdefault(label, []).append((cell, figures))
    grids = {}
    for label, students in groups.items():
        split = "validation" if all(one["validation"] for _, one in students) else "test"
        cells = [cell | {"accuracy": one[split]["accuracy"]} for cell, one in students]
        if all(len({cell[key] for cell in cells}) > 1 for key in ("alpha", "temperature")):
            grids[label] = (split, cells)
    return grids


def _together(examined: Sequence[Examined]) -> dict[str, Any]:
    """The agreement of all networks of runs that were evaluated on the same images."""
    first = examined[0]

    def same(one: Examined) -> bool:
        data, other = one.plan.data, first.plan.data
        of_one_set = (data.content, data.source) == (other.content, other.source)
        return of_one_set and np.array_equal(one.split.id, first.split.id)

    every = records.run_labels([one.record for one in examined])
    logits = {
        f"{label}: {row}": one.outputs[row].logits
        for label, one in zip(every, examined, strict=True)
        if same(one)
        for row in evaluation_tables.final(one.record)
    }
    several = first.record["multi_label"]
    matrix = pairs.matrix(list(logits.values()), attributes=several)
    return first.record | {"agreement": {"networks": list(logits), "matrix": matrix}}
