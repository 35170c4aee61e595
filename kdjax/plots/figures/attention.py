"""Where networks look, beside what they answer."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from kdjax.plots.figures import labels, style

_LARGEST = 1.3
"""Inches, the width of an image."""
_MOST = 6
"""Maps beside an image; more are shared out over several blocks, beside the same images again."""
_LUMA = np.asarray([0.299, 0.587, 0.114])
"""Shares of red, green and blue in grey, by ITU-R BT.601."""


class Answer(NamedTuple):
    """What a network answers to an image."""

    text: str
    probability: float
    """That it gives to it, in [0, 1]."""
    right: bool | None
    """None where an answer is neither, as one of many attributes."""


class _Column(NamedTuple):
    network: str
    layer: str
    maps: np.ndarray


@style.styled
def side_by_side(
    images: np.ndarray,
    maps: Mapping[tuple[str, str], np.ndarray],
    predictions: Mapping[str, Sequence[Answer]],
    truth: Sequence[str],
) -> Figure | None:
    """A row an image: the image, then attention maps over it in grey, with the answers below.

    Wrong answers have a cross and a dashed frame. Each map is scaled to its own maximum.

    Args:
        images: `[n, h, w, c]` in [0, 1], c 1 or 3.
        maps: `[n, h', w']`, not negative, by network and layer; columns are in this order.
        predictions: `[n]` answers by network.
        truth: `[n]`, true labels.

    Returns:
        None without images or without maps.

    Raises:
        ValueError: there are not as many maps, answers or labels as images.
    """
    if not len(images) or not maps:
        return None
    _require(len(images), maps, predictions, truth)
    columns = [_Column(*key, np.asarray(found)) for key, found in maps.items()]
    each = math.ceil(len(columns) / math.ceil(len(columns) / _MOST))
    blocks = [columns[first : first + each] for first in range(0, len(columns), each)]
    across = 1 + len(blocks[0])
    wide = min(_LARGEST, style.WIDTH / across)
    tall = wide * images.shape[1] / images.shape[2] + 0.32
    figure, axes = style.figure(
        len(blocks) * (len(images) * tall + 0.3) + 0.6, len(blocks) * len(images), across
    )
    # Images keep their shape; this layout closes the gaps that they leave.
    figure.set_layout_engine("compressed")
    room = 72 * wide - 4
    grid = np.asarray(axes, object).reshape(len(blocks), len(images), across)
    for lines, block in zip(grid, blocks, strict=True):
        for place, line in enumerate(lines):
            _show_image(line[0], images[place], labels.wrap(truth[place], room))
            for panel, column in zip(line[1:], block, strict=False):
                _show_map(panel, images[place], column.maps[place])
                _show_answer(panel, predictions[column.network][place], room)
            for panel in line[1 + len(block) :]:
                panel.remove()
        lines[0][0].set_title("image,\ntrue label", fontsize=style.SMALL, loc="center")
        for panel, column in zip(lines[0][1:], block, strict=False):
            title = f"{labels.wrap(column.network, room)}\n{labels.wrap(column.layer, room)}"
            panel.set_title(title, fontsize=style.SMALL, loc="center")
    left = [panel for panel in axes if panel.figure is not None]
    figure.colorbar(
        ScalarMappable(Normalize(0, 100), style.SEQUENTIAL),
        ax=left,
        location="bottom",
        label="Attention (% of the map's maximum)",
        shrink=0.5,
        aspect=35,
    )
    return figure


def _require(
    count: int,
    maps: Mapping[tuple[str, str], np.ndarray],
    predictions: Mapping[str, Sequence[Answer]],
    truth: Sequence[str],
) -> None:
    given = {"labels": len(truth)}
    given |= {f"maps of {network}, {layer}": len(found) for (network, layer), found in maps.items()}
    given |= {f"answers of {network}": len(predictions.get(network, ())) for network, _ in maps}
    for what, number in given.items():
        if number != count:
            raise ValueError(f"{number} {what} for {count} images")


def _show_image(axes: Axes, image: np.ndarray, name: str) -> None:
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    else:
        axes.imshow(image)
    axes.set_xlabel(name, fontsize=style.SMALL, labelpad=2)
    _bare(axes)


def _show_map(axes: Axes, image: np.ndarray, attention: np.ndarray) -> None:
    """The image in grey, and the map over all of it, each at its own resolution."""
    grey = image[..., 0] if image.shape[-1] == 1 else image @ _LUMA
    shown = axes.imshow(grey, cmap="gray", vmin=0, vmax=1)
    axes.imshow(
        attention,
        cmap=style.SEQUENTIAL,
        norm=Normalize(0, float(attention.max()) or 1.0),
        alpha=0.5,
        interpolation="bilinear",
        extent=shown.get_extent(),
    )
    _bare(axes)


def _show_answer(axes: Axes, answer: Answer, room: float) -> None:
    shown = f"{answer.text}: {100 * answer.probability:.0f}\N{NO-BREAK SPACE}%"
    wrong = answer.right is False
    text = "✗ " * wrong + labels.wrap(shown, room - 10)
    axes.set_xlabel(text, fontsize=style.SMALL, labelpad=2)
    if wrong:
        axes.spines[:].set(color="#D55E00", linestyle="--", linewidth=2.0)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
