"""Trains what a config says; `kdjax train` is the same.

python -m kdjax.main --config=dml:mnist --workdir=runs/first --config.alpha=0.3
python -m kdjax.main --config=configs/dml.py:mnist
"""

from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from kdjax.system import cli


def define() -> None:
    """The command's flags."""
    cli.define_config()
    cli.define_path(
        "workdir",
        None,
        "Folder of the run; running again on it resumes. Default: one for each config under runs/.",
    )


def main() -> None:
    """Runs, and prints the table of results."""
    config = cli.config_value()
    from kdjax.runs import result_table

    result_table.show(*run(config))


def run(config: ConfigDict) -> tuple[dict[str, Any], Path]:
    """The result of a config in the folder of `--workdir` or its own, and that folder.

    Raises:
        SystemExit: it was interrupted; says how to go on.
    """
    from kdjax.config import effects
    from kdjax.runs import workdir
    from kdjax.system import runtime
    from kdjax.training import train

    runtime.prepare()
    unread = effects.unread(*cli.config_overrides())
    directory = Path(flags.FLAGS.workdir) if flags.FLAGS.workdir else workdir.default(config)
    try:
        with runtime.catch_interrupts() as interrupt:
            return train.run(config, directory, interrupt, unread), directory
    except train.Interrupted as stopped:
        raise SystemExit(
            f"kdjax: stopped and saved at step {stopped}; run the same command again to go on"
        ) from None


if __name__ == "__main__":
    cli.launch(main, define)
