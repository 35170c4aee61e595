"""The pictures that a sweep leaves in its workdir."""

from pathlib import Path

from kdjax.evaluation import sweep_settings
from kdjax.evaluation.sweep_settings import Setting


def draw(found: list[Setting], directory: Path) -> None:
    """For each network the accuracy over one or two axes, and the heat map of a grid over alpha
    and temperature; without matplotlib a line that says what they need."""
    swept = sweep_settings.by_network(found)
    if not swept:
        return
    try:
        from kdjax.plots.figures import grid, style, sweeps
    except ImportError:
        print("for pictures: pip install matplotlib")
        return
    alone = [one for one in found if one["network"] == "baseline"]
    for network, mine in swept.items():
        split = sweep_settings.split_of(mine)
        drawn = {
            f"accuracy-{network}": sweeps.over_axis(mine, alone, split=split),
            f"alpha-temperature-{network}": grid.alpha_temperature(
                sweep_settings.cells(mine), split=split
            ),
        }
        for name, figure in drawn.items():
            if figure is not None:
                print(style.save(figure, directory, name))
