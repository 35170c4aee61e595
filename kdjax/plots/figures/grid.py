"""What a search over alpha and temperature found."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kdjax.plots.figures import cells, style


@style.styled
def alpha_temperature(
    trials: Sequence[Mapping[str, float]], *, split: str = "validation"
) -> Figure | None:
    """Heat map of accuracy over alpha and temperature; the best cell on validation is framed.

    Args:
        trials: each with `alpha`, `temperature` and `accuracy` in [0, 1]. Those of the same alpha
            and temperature, of several seeds, are averaged, and their number is stated.
        split: on which the accuracies were measured.

    Returns:
        Temperature ascends to the right and alpha upwards, both evenly spaced whatever their
        values; a pair that was not tried is hatched. None without trials.
    """
    if not trials:
        return None
    alphas = sorted({trial["alpha"] for trial in trials})
    temperatures = sorted({trial["temperature"] for trial in trials})
    counts = np.zeros((len(alphas), len(temperatures)))
    sums = np.zeros_like(counts)
    for trial in trials:
        cell = alphas.index(trial["alpha"]), temperatures.index(trial["temperature"])
        counts[cell] += 1
        sums[cell] += 100 * trial["accuracy"]
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    seeds = {int(count) for count in counts[counts > 0]}

    figure, (axes,) = style.figure(max(1.3 + 0.36 * len(alphas), 2.0))
    texts = None
    if max(counts.shape) <= cells.MOST_WITH_VALUES:
        # Numbers of seeds that differ stand in the cells, one that is shared in the title.
        texts = [
            [f"{mean:.2f}" + (f" ({count:.0f})" if len(seeds) > 1 else "") for mean, count in row]
            for row in np.stack([means, counts], axis=-1)
        ]
    low, high = np.nanmin(means), np.nanmax(means)
    norm = Normalize(low, high) if high > low else Normalize(low - 0.5, low + 0.5)
    image = cells.shade(axes, means, texts, norm=norm, origin="lower")
    # The best of many test accuracies is too good to be chosen.
    framed = split != "test"
    for row, column in np.argwhere(means == high) if framed else ():
        _frame(axes, row, column)
    axes.set_xticks(range(len(temperatures)), [f"{value:g}" for value in temperatures])
    axes.set_yticks(range(len(alphas)), [f"{value:g}" for value in alphas])
    axes.set_xlabel("Temperature")
    axes.set_ylabel("Alpha")
    axes.set_title(f"Accuracy on the {split} split (%)\n{'; '.join(_notes(counts, framed))}")
    figure.colorbar(image, label="Accuracy (%)")
    return figure


def _frame(axes: Axes, row: int, column: int) -> None:
    """Black on white, so that it stands out on every shade."""
    for colour, width in (("white", 4.0), ("black", 2.0)):
        axes.add_patch(
            Rectangle(
                (column - 0.46, row - 0.46), 0.92, 0.92, fill=False, ec=colour, lw=width, zorder=3
            )
        )


def _notes(counts: np.ndarray, framed: bool) -> list[str]:
    """What a reader has to know of the cells."""
    tried = counts[counts > 0]
    if tried.min() < tried.max():
        seeds = "mean over the seeds, their number in brackets"
    else:
        seeds = "one seed" if tried.max() == 1 else f"mean of {tried.max():.0f} seeds"
    hatched = ["hatched: not tried"] if counts.min() == 0 else []
    return [seeds, *(["framed: the best"] if framed else []), *hatched]
