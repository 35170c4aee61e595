"""One run of experiments/methods.py: a method with one seed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from experiments.methods_table import BY_LABEL, Method

Settings = dict[str, float]


@dataclass
class Runner:
    """Runs a method with one seed, unless it has run."""

    directory: Path
    """Where each run has a folder."""
    dataset: str
    fraction: float
    epochs: int
    batch_size: int
    tuning: bool
    """Whether validation images are held out, to choose by."""
    should_stop: Callable[[int], bool] = lambda step: False

    def __call__(
        self, method: Method, seed: int, settings: Settings, tag: str = ""
    ) -> dict[str, Any]:
        """The result of the run; `tag` tells settings of one method apart."""
        from kdjax.training import train

        config, directory = self._config(method, seed, settings), self._folder(method, seed, tag)
        try:
            result = train.run(config, directory, self.should_stop)
        except train.Interrupted as stopped:
            raise SystemExit(
                f"kdjax: stopped and saved at step {stopped} of {method.label}, seed {seed}; run "
                "the same command again to go on"
            ) from None
        return result if self.tuning else _with_ensembles(result, directory, method)

    def _seed(self, method: Method, seed: int) -> int:
        """Where images are held out, a teacher may not have seen those of the seed's students."""
        return 0 if method.pinned and not self.tuning else seed

    def _folder(self, method: Method, seed: int, tag: str = "") -> Path:
        parts = [*method.label.split(), *filter(None, [tag]), str(self._seed(method, seed))]
        return self.directory / "-".join(parts)

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
            # Nothing is chosen on the way: the last step counts.
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


def _with_ensembles(result: dict[str, Any], directory: Path, method: Method) -> dict[str, Any]:
    """The result, with each ensemble that the method reports as one more network."""
    from kdjax.evaluation import run_evaluation

    together = {}
    for name in method.networks:
        if "+" in name:
            members = tuple(name.split("+"))
            options = run_evaluation.Options(networks=members, ensemble=members, timing=False)
            figures = run_evaluation.evaluate(directory, options).record["networks"][name]
            together[name] = {"last": {"test": figures}}
    return result | {"networks": result["networks"] | together}
