"""The figures that a sweep leaves in its workdir."""

from collections.abc import Sequence
from pathlib import Path

from kdjax.evaluation import sweep_settings
from kdjax.evaluation.sweep_settings import Setting


def draw(settings: Sequence[Setting], directory: Path) -> None:
    """Draws the accuracy of each network over one or two axes, and the heat map of a grid over
    alpha and temperature; without matplotlib it prints what to install."""
    networks = sweep_settings.by_network(settings)
    if not networks:
        return
    try:
        from kdjax.plots.drawing import style
        from kdjax.plots.figures import alpha_temperature, sweep_axes
    except ImportError:
        print("figures need matplotlib: pip install -r requirements/report.txt")
        return
    for network, own_settings in networks.items():
        split = sweep_settings.split_of(own_settings)
        cells = {
            (setting["axes"]["alpha"], setting["axes"]["temperature"]): setting[split]
            for setting in own_settings
            if setting["axes"].keys() == {"alpha", "temperature"}
        }
        with style.styled():
            drawn = {
                f"accuracy-{network}": sweep_axes.draw(own_settings, settings, split=split),
                f"alpha-temperature-{network}": alpha_temperature.draw(cells, split=split),
            }
            for name, figure in drawn.items():
                if figure is not None:
                    print(style.save(figure, directory, name))
