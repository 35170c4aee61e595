"""Trains a whole grid of students at once: one teacher, one batch, one program.

    python -m kdjax.sweep --config=configs/kd.py:mnist --workdir=runs/grid \\
        --axis=temperature=1,2,4,8 --axis=alpha=0.1,0.5,0.9 --seeds=3

Members differ in `seed` (initialisation, dropout) and in whatever weights, temperatures and
learning rates the axes reach; they share images, augmentation and one pinned teacher. Running the
command again resumes. Prints a table and a sentence that compares the best setting with the
baseline, writes `sweep.json` and `sweep.csv`, and with matplotlib draws accuracy over one axis or
two, and the heat map of a grid over alpha and temperature.
"""

import copy
import itertools
import math
import re
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from kdjax import main as kdjax_main
from kdjax.system import cli, config_file
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
    swept = grid(
        config,
        axes,
        flags.FLAGS.seeds,
        mode=flags.FLAGS.mode,
        together=flags.FLAGS.together,
    )
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
        raise UserError(f"--axis={text}: it takes KEY=VALUE,VALUE,... of different numbers")
    if key == "seed":
        raise UserError("--axis=seed=...: seeds are what --seeds is for")
    return key, values


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def grid(
    config: ConfigDict,
    axes: Sequence[tuple[str, Sequence[float | str]]],
    seeds: int,
    *,
    mode: str = "auto",
    together: int = 0,
) -> ConfigDict:
    """A config with every combination of the axes' values, each with every seed, as its members.

    Args:
        config: of one run.
        axes: keys and their values.
        seeds: how many, from the config's on.
        mode: "separate" (a call of the compiled step for each member), "vmap" (one computation over
            a further axis), or "auto", which chooses by device.
        together: how many members one call trains with "vmap"; 0 for all of them.

    Raises:
        UserError: the config has no such key, or takes no such value.
    """
    from kdjax.config import build, build_sweep, effects
    from kdjax.runs import saved_config

    plain = saved_config.flatten(saved_config.plain(config))

    def changes(values: list[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
        """What differs from the config where these keys have these values, by dotted key."""
        # Deep, or they would share the references through which a key reaches others.
        one = copy.deepcopy(config)
        for key, value in values:
            set_value(one, key, value)
        theirs = saved_config.flatten(saved_config.plain(one))
        return tuple((key, value) for key, value in theirs.items() if plain.get(key) != value)

    keys = [key for key, _ in axes]
    if len(set(keys)) < len(keys):
        raise UserError(f"--axis: {', '.join(keys)}: every key once, with all its values")
    idle = effects.unread(config, keys)
    for key in keys:
        if key in idle or key in effects.READ_BY_NAME:
            raise UserError(f"--axis={key}=...: it reaches no hyper-parameter of a stage")
    members = []
    for point in itertools.product(*(values for _, values in axes)):
        for seed in range(config.seed, config.seed + seeds):
            named = [*zip(keys, point, strict=True), ("seed", seed)]
            labels = tuple(f"{key}={_short(value)}" for key, value in named)
            members.append((labels, changes(named)))
    swept = copy.deepcopy(config)
    with swept.unlocked():
        swept.sweep = ConfigDict(dict(members=tuple(members), mode=mode, together=together))
    # Ahead of a workdir, which may be another sweep's.
    for member in build_sweep.read(swept):
        build.check(member.config)
    return swept


def _short(value: float | str) -> str:
    """A value that reads back as itself; a number without a fraction where it has none."""
    if isinstance(value, str):
        return value.replace(" ", "")
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def set_value(config: ConfigDict, key: str, value: float | str) -> None:
    """Sets a dotted key, as `--config.KEY=VALUE` does.

    Raises:
        UserError: there is none, or it is of another type.
    """
    try:
        config_file.require_key(config, key)
    except UserError as error:
        raise UserError(f"--axis={key}=...: {error}") from error
    *path, last = key.split(".")
    holder = config
    for part in path:
        holder = holder[part]
    present = holder[last]
    if holder.get_type(last) is config_file.Formula:
        holder[last] = value
        return
    if not isinstance(present, int | float) or isinstance(present, bool):
        kind = type(present).__name__
        raise UserError(f"--axis={key}=...: config.{key} is of type {kind}, which is no number")
    if isinstance(value, str):
        raise UserError(f"--axis={key}=...: config.{key} takes numbers, not {value!r}")
    if isinstance(present, int) and value != int(value):
        raise UserError(f"--axis={key}=...: config.{key} takes whole numbers, not {value:g}")
    holder[last] = type(present)(value)


if __name__ == "__main__":
    cli.launch(main, define)
