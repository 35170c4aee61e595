"""The methods that experiments/methods.py compares, and what it tries of each."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ml_collections import ConfigDict

from configs import datasets


def _nothing(config: ConfigDict) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Method:
    """One config with what it differs by."""

    label: str
    config: str
    """File in configs/."""
    options: str = ""
    """What follows the data set."""
    networks: tuple[str, ...] = ("student",)
    """Whose figures are reported; `<network> after <stage>` is what an earlier stage left; names
    joined by + are an ensemble."""
    baseline: tuple[str, str] | None = ("alone", "student")
    """Method and network that trained alone, with the same seeds: on the same images in the same
    order and views; from the same start but for `peer_1` and `generation_1`."""
    builds_on: str = ""
    """The method whose student shows what this one adds."""
    teacher_from: str = ""
    """The method whose student is the teacher."""
    like: str = ""
    """The method whose chosen settings this one starts from."""
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    pinned: bool = False
    """A teacher: trained on all training images, and the same one for all seeds."""
    changes: Callable[[ConfigDict], dict[str, Any]] = _nothing
    """Further keys of the config."""

    @property
    def paired_with(self) -> str:
        """The method of the baseline."""
        return self.baseline[0] if self.baseline else ""

    def load(self, dataset: str) -> ConfigDict:
        """The config."""
        module = importlib.import_module(f"configs.{self.config}")
        return module.get_config(self.argument(dataset))

    def argument(self, dataset: str) -> str:
        """What follows the config's colon."""
        return ",".join(filter(None, (dataset, self.options)))

    def command(self, dataset: str) -> str:
        """As `--config` takes it."""
        return f"configs/{self.config}.py:{self.argument(dataset)}"


def _whole(config: ConfigDict) -> dict[str, Any]:
    settings = datasets.settings(config.data.name)
    recipe = {key: settings[key] for key in ("epochs", "batch_size")}
    return _large(config) | recipe


def _half_size(config: ConfigDict) -> dict[str, Any]:
    """For the plain networks: at 28 x 28 their convolutions take minutes a run on 2 cores."""
    return {"data.size": config.data.size // 2}


def _plain6(config: ConfigDict) -> dict[str, Any]:
    return _whole(config) | _half_size(config) | {"networks.student.model": "plain.plain6"}


def _large(config: ConfigDict) -> dict[str, Any]:
    return {"networks.student.model": datasets.settings(config.data.name)["teacher"]}


def _twice(config: ConfigDict) -> dict[str, Any]:
    return {"epochs": 2 * config.epochs}


_TAUGHT = dict(
    options="train=0,baseline=0",
    teacher_from="teacher",
    like="soft targets",
    builds_on="soft targets",
)
_SOFT = {"alpha": (0.5, 0.9), "temperature": (2.0, 4.0, 8.0)}
_PEERS = dict(
    networks=("peer_0 after peer_0", "peer_0", "peer_1 after peer_1", "peer_1", "peer_0+peer_1"),
    baseline=("mutual", "baseline"),
    teacher_from="teacher",
)

METHODS = (
    Method("alone", "ce", baseline=None),
    Method("teacher", "ce", baseline=None, pinned=True, changes=_whole),
    Method("plain6", "ce", baseline=None, pinned=True, changes=_plain6),
    Method("teacher of little data", "ce", changes=_large),
    Method("soft targets", "kd", "train=0,baseline=0", teacher_from="teacher", grid=_SOFT),
    Method(
        "soft targets of little data",
        "kd",
        "train=0,baseline=0",
        teacher_from="teacher of little data",
        like="soft targets",
    ),
    Method("attention", "at", grid={"beta": (0.03, 0.1, 0.3)}, **_TAUGHT),
    Method("hybrid", "hybrid", grid={"feature_weight": (0.01, 0.1, 1.0)}, **_TAUGHT),
    Method("FitNets", "fitnet", **_TAUGHT),
    Method("nuclear norm", "nuclear", grid={"nuclear_scale": (0.001, 0.01, 0.1)}, **_TAUGHT),
    Method("online", "online", "baseline=0", like="soft targets"),
    Method(
        "mutual",
        "dml",
        networks=("peer_0", "peer_1", "peer_0+peer_1", "baseline"),
        baseline=("mutual", "baseline"),
        grid={"temperature": (1.0, 4.0), "gamma": (0.5, 1.0, 2.0)},
    ),
    Method(
        "two phases",
        "two_phase",
        "train=0,baseline=0",
        like="attention",
        grid={"gamma": (0.2, 1.0)},
        **_PEERS,
    ),
    Method(
        "two phases with teacher",
        "two_phase",
        "keep_teacher=1,train=0,baseline=0",
        like="two phases",
        **_PEERS,
    ),
    Method("self", "teacher_free", "baseline=0", grid=_SOFT),
    Method(
        "virtual teacher",
        "teacher_free",
        "virtual=1,baseline=0",
        grid={"alpha": (0.1, 0.3, 0.5), "temperature": (20.0,)},
    ),
    Method(
        "born again",
        "born_again",
        "generations=2",
        networks=(
            "generation_1",
            "generation_2",
            "generation_0+generation_1+generation_2",
            "baseline",
        ),
        baseline=("born again", "baseline"),
        like="self",
    ),
    Method(
        "assistant",
        "assistants",
        "teacher=6,train=0",
        teacher_from="plain6",
        networks=("student", "direct", "baseline"),
        baseline=("assistant", "baseline"),
        like="soft targets",
        changes=_half_size,
    ),
    Method(
        "FSP",
        "fsp",
        "train=0",
        teacher_from="plain6",
        networks=("student", "baseline"),
        baseline=("FSP", "baseline"),
        changes=_half_size,
    ),
    # Controls.
    Method(
        "shuffled teacher",
        "kd",
        changes=lambda config: {"stages.student.terms.soft.shuffle": True},
        **_TAUGHT,
    ),
    Method(
        "label smoothing",
        "teacher_free",
        "smoothing=1,baseline=0",
        grid={"alpha": (0.05, 0.1, 0.3)},
    ),
    Method("twice the epochs", "ce", changes=_twice),
    Method("soft targets for twice the epochs", "kd", changes=_twice, **_TAUGHT),
)
BY_LABEL = {method.label: method for method in METHODS}
