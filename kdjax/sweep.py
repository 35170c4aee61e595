"""Trains a whole grid of students at once: one teacher, one batch, one program.

    python -m kdjax.sweep --config=configs/kd.py:mnist --workdir=runs/grid \\
        --axis=temperature=1,2,4,8 --axis=alpha=0.1,0.5,0.9 --seeds=3

Members differ in `seed` (initialisation, dropout) and in whatever weights, temperatures and
learning rates the axes reach; they share images, augmentation and one pinned teacher. Running the
command again resumes. Prints a table and a sentence that compares the best setting with the
baseline, writes `sweep.json` and `sweep.csv`, and with matplotlib draws accuracy over one axis or
two, and the heat map of a grid over alpha and temperature.
"""

import math
import re

from absl import flags

from kdjax import main as kdjax_main
from kdjax.system import cli
from kdjax.system.errors import UserError


def define() -> None:
    """The command's flags."""
    kdjax_main.define()
    flags.DEFINE_multi_string("axis", [], "KEY=VALUE,VALUE,...: a key of the config, as alpha.")
    flags.DEFINE_integer("seeds", 1, "Seeds of every setting, from config.seed on.", 1)
    modes = ["auto", "separate", "vmap"]
    flags.DEFINE_enum("mode", "auto", modes, "How members are trained: see docs/sweeps.md.")
    flags.DEFINE_integer("together", 0, "Members in one call with vmap; 0: all of them.", 0)


def main() -> None:
    """Trains, prints and writes."""
    config = cli.config_value()
    axes = [parse_axis(text) for text in flags.FLAGS.axis]
    from kdjax.config import build, grid

    swept = grid.make(
        config, axes, flags.FLAGS.seeds, mode=flags.FLAGS.mode, together=flags.FLAGS.together
    )
    # Checked ahead of the workdir, which may be another sweep's.
    for member in grid.read(swept):
        build.check(member.config)
    from kdjax.evaluation import sweep_settings
    from kdjax.plots import sweep_figures

    result, directory = kdjax_main.run(swept)
    settings = sweep_settings.write(result, directory)
    sweep_figures.draw(settings, directory)
    if sentence := sweep_settings.sentence(settings, result):
        print(sentence)


def parse_axis(text: str) -> tuple[str, list[float | str]]:
    """`alpha=0.1,0.5` as a key and its values: numbers, or formulas such as `cosine(4, 1)`.

    Raises:
        UserError: it is not of this form, or its values are not different.
    """
    key, _, rest = text.partition("=")
    # Commas between brackets belong to a formula.
    parts = [part.strip() for part in re.split(r",(?![^(]*\))", rest)]
    values = [_number(part) for part in parts]
    finite = all(isinstance(value, str) or math.isfinite(value) for value in values)
    if not key or not all(parts) or not finite or len(set(values)) < len(values):
        raise UserError(f"--axis={text}: it takes KEY=VALUE,VALUE,... of different values")
    if key == "seed":
        raise UserError("--axis=seed=...: seeds are what --seeds is for")
    return key, values


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


if __name__ == "__main__":
    cli.launch(main, define)
