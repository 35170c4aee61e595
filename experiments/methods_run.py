"""One run of experiments/methods.py: a method with one seed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from experiments import repeat
from experiments.methods_table import BY_LABEL, Method

Settings = dict[str, float]


@dataclass
class Runner:
    """Runs a method with one seed, unless that run has finished."""

    directory: Path
    """The folder of all runs."""
    dataset: str
    fraction: float
    epochs: int
    batch_size: int
    tuning: bool
    """Whether validation images are held out, to choose settings by."""
    should_stop: Callable[[int], bool] = lambda step: False

    def __call__(
        self, method: Method, seed: int, settings: Settings, tag: str = ""
    ) -> dict[str, Any]:
        """The result of the run; `tag` distinguishes the settings of one method."""
        directory = self._folder(method, seed, tag)
        config = self._config(method, seed, settings)
        result = repeat.run(config, directory, self.should_stop, f"{method.label}, seed {seed}")
        if not self.tuning:
            result["networks"] |= _ensembles(method, directory)
        return result

    def _seed(self, method: Method, seed: int) -> int:
        """A pinned teacher has seed 0, unless it might then have seen held-out images."""
        return 0 if method.pinned and not self.tuning else seed

    def _folder(self, method: Method, seed: int, tag: str = "") -> Path:
        parts = [*method.label.split(), tag, str(self._seed(method, seed))]
        return self.directory / "-".join(filter(None, parts))

    def _config(self, method: Method, seed: int, settings: Settings) -> ConfigDict:
        config = method.load(self.dataset)
        seed = self._seed(method, seed)
        changes: dict[str, Any] = {
            "seed": seed,
            "data.seed": seed,
            "data.fraction": 1.0 if method.pinned else self.fraction,
            "data.refit": not self.tuning,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "select": "last",
            "tensorboard": False,
            # The last step counts, so validation and checkpoints before it are not needed.
            "validate_every_epochs": 1000,
            "checkpoint_every_epochs": 1000,
        }
        if method.teacher_from:
            teacher = BY_LABEL[method.teacher_from]
            changes["networks.teacher.workdir"] = str(self._folder(teacher, seed))
            changes["networks.teacher.source"] = "student"
        config.update_from_flattened_dict(changes)
        config.update_from_flattened_dict(method.changes(config) | settings)
        return config


def _ensembles(method: Method, directory: Path) -> dict[str, Any]:
    """The test figures of the ensembles that a method reports, by name."""
    from kdjax.evaluation import run_evaluation

    figures = {}
    for name in method.networks:
        if "+" in name:
            members = tuple(name.split("+"))
            options = run_evaluation.Options(networks=members, ensemble=members, timing=False)
            record = run_evaluation.evaluate(directory, options).record
            figures[name] = {"last": {"test": record["networks"][name]}}
    return figures
