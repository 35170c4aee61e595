"""A small run for a first look, where the user names none: soft targets on the embedded digits."""

from pathlib import Path
from typing import Any

from kdjax.system import config_file
from kdjax.training import train

DIRECTORY = Path("runs") / "app-demo"
EPOCHS = 4
"""Enough for about 95 % of test images, in a few seconds; networks still disagree about some."""


def run() -> tuple[dict[str, Any], Path]:
    """Trains teacher, student and baseline unless they are there already.

    Returns:
        The run's result and its workdir.
    """
    config = config_file.load("kd:digits")
    with config.unlocked():
        config.epochs = EPOCHS
    return train.run(config, DIRECTORY), DIRECTORY
