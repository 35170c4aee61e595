"""Which figures a report has, in order, and what is said below each."""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy import special

from kdjax.evaluation import attention_maps, measures, records, sweep_settings
from kdjax.evaluation.measures import agreement
from kdjax.evaluation.run_evaluation import Evaluation
from kdjax.plots import report_sweep
from kdjax.plots.figures import (
    accuracy,
    attention,
    attributes,
    calibration,
    confusion,
    curves,
    fidelity,
    grid,
    size,
    style,
    sweeps,
)
from kdjax.plots.figures.attention import Answer
from kdjax.runs import metrics_log, writers
from kdjax.system.progress import Bar
from kdjax.training.scores import Predictions

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
    examined: Sequence[Evaluation],
    tabled: Sequence[dict[str, Any]],
    directories: Sequence[Path],
    *,
    networks: Sequence[str],
    images: int,
    layers: Sequence[str],
    folder: Path,
) -> list[Section]:
    """Draws and saves every figure that there is something to draw for.

    Args:
        examined: the runs.
        tabled: their records as the tables have them: of a sweep with a row for each setting.
        directories: their workdirs.
        networks: that the user has named; none for all.
        images: with attention maps, for each run.
        layers: of which; none for the last maps that all networks have.
        folder: where the figures go.

    Raises:
        UserError: no network has such a layer.
    """
    wanted = [*_of_all(examined, tabled, directories)]
    labels = records.run_labels(tabled)
    for place, (one, record, directory) in enumerate(
        zip(examined, tabled, directories, strict=True)
    ):
        about = f": {labels[place]}" if len(examined) > 1 else ""
        wanted += [
            each._replace(heading=each.heading + about, name=f"{each.name}-{place}")
            for each in (
                *_of_sweep(directory),
                *_of_one(one, record, directory, networks, images, layers),
            )
        ]
    sections = []
    with Bar("drawing", len(wanted)) as bar:
        for done, one_wanted in enumerate(wanted, start=1):
            drawn = one_wanted.draw()
            if drawn is not None:
                with writers.writing(folder):
                    path = style.save(drawn, folder, one_wanted.name)
                sections.append(Section(one_wanted.heading, path, one_wanted.caption))
            bar.to(done)
    return sections


def _of_all(
    examined: Sequence[Evaluation], found: Sequence[dict[str, Any]], directories: Sequence[Path]
) -> Iterator[_Wanted]:
    yield _Wanted(
        "Accuracy",
        "accuracy",
        "Every network as its run left it; of a sweep every setting.",
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
    for place, (name, trials) in enumerate(report_sweep.grids(found, directories).items()):
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


def _of_sweep(directory: Path) -> Iterator[_Wanted]:
    found = report_sweep.settings(directory)
    if not found:
        return
    alone = [one for one in found if one["network"] == "baseline"]
    for network, mine in sweep_settings.by_network(found).items():
        yield _Wanted(
            f"Accuracy over the axes: {network}",
            f"axes-{network}",
            "Means over seeds, from result.json.",
            functools.partial(sweeps.over_axis, mine, alone, split=sweep_settings.split_of(mine)),
        )
    lines, label = report_sweep.courses(metrics_log.logged(directory))
    yield _Wanted(
        "Training of every setting",
        "courses",
        "From metrics.jsonl: means over seeds, shaded from the lowest to the highest seed.",
        lambda: sweeps.courses(lines, label=label),
    )


def _of_one(
    one: Evaluation,
    record: dict[str, Any],
    directory: Path,
    networks: Sequence[str],
    images: int,
    layers: Sequence[str],
) -> Iterator[_Wanted]:
    axes, about = report_sweep.member(directory, networks)
    rows = records.final(one.record)
    if axes and not networks:
        rows = [row for row in rows if report_sweep.is_of(row, axes)]
    measured = {
        row: figures
        for row, figures in one.record["networks"].items()
        if not axes or figures["network"] in rows or row in rows
    }
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
        f"scheduled; of training, means over the steps since the point before.{about}",
        lambda: curves.training(report_sweep.log_of(metrics_log.logged(directory), axes)),
    )
    if record["multi_label"]:
        yield _Wanted(
            "Attributes",
            "attributes",
            "Accuracy on each attribute, beside always giving the more frequent answer.",
            lambda: attributes.dots(record),
        )
    else:
        for row in rows[:_CONFUSIONS]:
            yield _Wanted(
                f"Confusion of {row}",
                f"confusion-{row}",
                f"Counts of images; shade is the share of the true class.{about}",
                functools.partial(confusion.matrix, one.record, row),
            )
    yield _Wanted(
        "Calibration",
        "calibration",
        "Accuracy against confidence; on the diagonal a network is as often right as it says."
        + about,
        lambda: calibration.reliability(one.record | {"networks": measured}),
    )
    if images:
        yield _Wanted(
            "Where networks look",
            "attention",
            "Attention maps (the mean over channels of squared activations) over the same images; "
            f"the last ones are images on which networks disagree, where there are any.{about}",
            lambda: _attention(one, rows, images, layers),
        )


def _attention(
    one: Evaluation, rows: Sequence[str], count: int, layers: Sequence[str]
) -> Figure | None:
    # Ensembles have no activations of their own.
    shown = [row for row in rows if "+" not in row]
    if not shown:
        return None
    made = attention_maps.make(one, shown, layers, attention_maps.telling(one, shown, count))
    names = one.record["class_names"]
    labels = one.split.label[made.rows]
    if one.record["multi_label"]:
        truth = [f"has {count:.0f} of {len(names)}" for count in labels.sum(axis=1)]
        answers = {r: _attributes(one.predictions[r], made.rows, labels) for r in shown}
    else:
        truth = [names[label] for label in labels]
        answers = {r: _classes(one.predictions[r], made.rows, labels, names) for r in shown}
    return attention.side_by_side(made.images, made.maps, answers, truth)


def _classes(
    outputs: Predictions, rows: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> list[Answer]:
    chosen = measures.prediction(outputs.logits[rows], multi_label=False).decisions
    p = special.softmax(np.asarray(outputs.logits[rows], np.float64), axis=1).max(axis=1)
    return [
        Answer("no number", 0.0, False)
        if np.isnan(answer)
        else Answer(names[int(answer)], float(sure), bool(answer == label))
        for answer, sure, label in zip(chosen, p, labels, strict=True)
    ]


def _attributes(outputs: Predictions, rows: np.ndarray, labels: np.ndarray) -> list[Answer]:
    """How many attributes are right, and the mean probability that they were given."""
    logits = np.asarray(outputs.logits[rows], np.float64)
    right = (measures.prediction(logits, multi_label=True).decisions == (labels > 0.5)).sum(axis=1)
    sure = special.expit(np.nan_to_num(np.abs(logits))).mean(axis=1)
    count = logits.shape[1]
    return [
        Answer(f"{n} of {count} right", float(p), None) for n, p in zip(right, sure, strict=True)
    ]


def _together(examined: Sequence[Evaluation]) -> dict[str, Any]:
    """The agreement of all networks of runs that were evaluated on the same images."""
    first = examined[0]

    def same(one: Evaluation) -> bool:
        data, other = one.plan.data, first.plan.data
        of_one_set = (data.content, data.source) == (other.content, other.source)
        return of_one_set and np.array_equal(one.split.id, first.split.id)

    every = records.run_labels([one.record for one in examined])
    several = first.record["multi_label"]
    predictions = {
        f"{label}: {row}": measures.prediction(one.predictions[row].logits, multi_label=several)
        for label, one in zip(every, examined, strict=True)
        if same(one)
        for row in records.final(one.record)
    }
    matrix = agreement.matrix(list(predictions.values()))
    return first.record | {"agreement": {"networks": list(predictions), "matrix": matrix}}
