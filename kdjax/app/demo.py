"""A small run for a first look, where the user names none: soft targets on the embedded digits."""

from pathlib import Path
from typing import Any

from kdjax.runs import workdir
from kdjax.system import config_file
from kdjax.system.errors import UserError

DIRECTORY = Path("runs") / "app-demo"
EPOCHS = 4
"""Enough for about 95 % of test images, in a few seconds; networks still disagree about some."""


def run() -> tuple[dict[str, Any], Path]:
    """Trains teacher, student and baseline unless they are there already.

    Returns:
        The run's result and its workdir.

    Raises:
        UserError: the folder is of another version of kdjax.
    """
    from kdjax.training import train  # With JAX.

    config = config_file.load("kd:digits")
    with config.unlocked():
        config.epochs = EPOCHS
    try:
        workdir.require_same(config, DIRECTORY)
    except UserError as error:
        raise UserError(
            f"the demo in {DIRECTORY} is of another version of kdjax: remove that folder, or name "
            "a run of your own with --workdir"
        ) from error
    return train.run(config, DIRECTORY), DIRECTORY
