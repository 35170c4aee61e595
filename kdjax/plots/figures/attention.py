"""Where networks look, beside their answers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy import special

from kdjax.evaluation import measures, records
from kdjax.plots.drawing import labels, style
from kdjax.plots.types import Run, Section

ORDER = 140
_LARGEST = 1.3
"""Inches, the width of an image."""
_MOST = 6
"""Maps beside an image; more maps are shared out over several blocks, beside the same images."""


class Answer(NamedTuple):
    """A network's answer to an image."""

    text: str
    """With the network's own probability."""
    right: bool | None
    """None for an answer that is neither right nor wrong, as to many attributes."""


def of_run(run: Run) -> Iterator[Section]:
    record = run.evaluation.record
    # Ensembles have no activations of their own.
    networks = [row for row in records.final(record) if row in run.rows and "+" not in row]
    if not run.images or not networks:
        return
    from kdjax.evaluation import attention_maps  # With JAX.

    chosen = attention_maps.telling(run.evaluation, networks, run.images)
    images, maps = attention_maps.make(run.evaluation, networks, run.layers, chosen)
    label, names = run.evaluation.split.label[chosen], record["class_names"]
    logits = {row: np.asarray(run.evaluation.predictions[row].logits[chosen]) for row in networks}
    if record["multi_label"]:
        truth = [f"has {count:.0f} of {len(names)}" for count in label.sum(axis=1)]
        answers = {row: attribute_answers(logits[row], label) for row in networks}
    else:
        truth = [names[place] for place in label]
        answers = {row: class_answers(logits[row], label, names) for row in networks}
    caption = (
        "Attention maps (the mean over channels of squared activations) over the same images; the "
        f"last ones are images on which networks disagree, where there are any.{run.about}"
    )
    figure = draw(images, maps, answers, truth)
    yield Section("Where networks look", "attention", caption, figure)


def class_answers(logits: np.ndarray, label: np.ndarray, names: Sequence[str]) -> list[Answer]:
    """The most probable classes, from logits `[n, k]` and true labels `[n]`."""
    predicted = measures.prediction(logits, multi_label=False).decisions
    probability = special.softmax(np.asarray(logits, np.float64), axis=1).max(axis=1)
    return [
        Answer("no number", False)
        if np.isnan(answer)
        else Answer(f"{names[int(answer)]}: {_percent(p)}", bool(answer == true))
        for answer, p, true in zip(predicted, probability, label, strict=True)
    ]


def attribute_answers(logits: np.ndarray, label: np.ndarray) -> list[Answer]:
    """How many attributes are right, from logits and labels `[n, k]`, and the mean probability of
    the answers."""
    decisions = measures.prediction(logits, multi_label=True).decisions
    right = (decisions == (label > 0.5)).sum(axis=1)
    probability = special.expit(np.nan_to_num(np.abs(np.asarray(logits, np.float64)))).mean(axis=1)
    return [
        Answer(f"{count} of {label.shape[1]} right: {_percent(p)}", None)
        for count, p in zip(right, probability, strict=True)
    ]


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f}\N{NO-BREAK SPACE}%"


def draw(
    images: np.ndarray,
    maps: Mapping[tuple[str, str], np.ndarray],
    answers: Mapping[str, Sequence[Answer]],
    truth: Sequence[str],
) -> Figure | None:
    """A row for each image: the image, then attention maps over it in grey, with the answers below.

    Wrong answers have a cross and a dashed frame. Each map is scaled to its own maximum.

    Args:
        images: `[n, h, w, c]` in [0, 1], c 1 or 3.
        maps: `[n, h', w']`, not negative, by network and layer; columns are in this order.
        answers: `[n]` by network.
        truth: `[n]`, true labels.
    """
    if not len(images) or not maps:
        return None
    columns = list(maps.items())
    width = math.ceil(len(columns) / math.ceil(len(columns) / _MOST))
    blocks = [columns[first : first + width] for first in range(0, len(columns), width)]
    across = 1 + width
    wide = min(_LARGEST, style.WIDTH / across)
    tall = wide * images.shape[1] / images.shape[2] + 0.32
    height = len(blocks) * (len(images) * tall + 0.3) + 0.6
    figure, axes = style.figure(height, len(blocks) * len(images), across)
    # Images keep their shape; this layout closes the gaps that they leave.
    figure.set_layout_engine("compressed")
    room = 72 * wide - 4
    greys = images.mean(axis=-1)
    grid = np.asarray(axes, object).reshape(len(blocks), len(images), across)
    for lines, block in zip(grid, blocks, strict=True):
        for place, (first, *panels) in enumerate(lines):
            _show(first, images[place], labels.wrap(truth[place], room))
            for panel, ((network, _), attention) in zip(panels, block, strict=False):
                answer = answers[network][place]
                cross = "✗ " if answer.right is False else ""
                text = cross + labels.wrap(answer.text, room - 10)
                _show(panel, greys[place], text, attention[place])
                if cross:
                    panel.spines[:].set(color="#D55E00", linestyle="--", linewidth=2.0)
            for panel in panels[len(block) :]:
                panel.remove()
        titles = ["image,\ntrue label"]
        titles += ["\n".join(labels.wrap(name, room) for name in key) for key, _ in block]
        for panel, title in zip(lines[0], titles, strict=False):
            panel.set_title(title, fontsize=style.SMALL, loc="center")
    shades = ScalarMappable(Normalize(0, 100), style.SEQUENTIAL)
    left = [panel for panel in axes if panel.figure is not None]
    style.bar_below(figure, shades, "Attention (% of the map's maximum)", ax=left, shrink=0.5)
    return figure


def _show(axes: Axes, image: np.ndarray, text: str, attention: np.ndarray | None = None) -> None:
    """An image with a text below, and a map over all of it, each at its own resolution."""
    shown = axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    if attention is not None:
        norm = Normalize(0, float(attention.max()) or 1.0)
        over = axes.imshow(attention, style.SEQUENTIAL, norm, extent=shown.get_extent(), alpha=0.5)
        over.set_interpolation("bilinear")
    axes.set_xlabel(text, fontsize=style.SMALL, labelpad=2)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
