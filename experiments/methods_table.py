"""The methods that experiments/methods.py compares, and the settings that it tries."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ml_collections import ConfigDict

from configs import datasets


@dataclass(frozen=True)
class Method:
    """A config, and what the study changes in it."""

    label: str
    config: str
    """The name of a file in configs/."""
    options: str = ""
    """The options that follow the data set."""
    networks: tuple[str, ...] = ("student",)
    """The networks that are reported. `<network> after <stage>` is the network as an earlier stage
    left it; names joined by + are an ensemble."""
    baseline: tuple[str, str] | None = ("alone", "student")
    """Method and network that trained alone, with the same seeds: on the same images in the same
    order and views; from the same start but for `peer_1` and `generation_1`."""
    builds_on: str = ""
    """The method whose student is compared with this method's, to show what this one adds."""
    teacher_from: str = ""
    """The method whose student is the teacher."""
    like: str = ""
    """The method whose chosen settings this one starts from."""
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The values to try, by key of the config."""
    pinned: bool = False
    """Whether this is a teacher that sees all training images and is the same for all seeds."""
    changes: Callable[[ConfigDict], dict[str, Any]] = lambda config: {}
    """Further keys of the config, with their values."""

    @property
    def paired_with(self) -> str:
        """The method of the baseline."""
        return self.baseline[0] if self.baseline else ""

    def load(self, dataset: str) -> ConfigDict:
        """The config."""
        module = importlib.import_module(f"configs.{self.config}")
        return module.get_config(self.command(dataset).partition(":")[2])

    def command(self, dataset: str) -> str:
        """The value of `--config`."""
        options = f",{self.options}" if self.options else ""
        return f"configs/{self.config}.py:{dataset}{options}"


def _whole(config: ConfigDict) -> dict[str, Any]:
    settings = datasets.settings(config.data.name)
    recipe = {key: settings[key] for key in ("epochs", "batch_size")}
    return _large(config) | recipe


def _half_size(config: ConfigDict) -> dict[str, Any]:
    """The plain networks take minutes a run at 28 x 28 on 2 cores, so they see half of that."""
    return {"data.size": config.data.size // 2}


def _plain6(config: ConfigDict) -> dict[str, Any]:
    return _whole(config) | _half_size(config) | {"networks.student.model": "plain.plain6"}


def _large(config: ConfigDict) -> dict[str, Any]:
    return {"networks.student.model": datasets.settings(config.data.name)["teacher"]}


def _twice(config: ConfigDict) -> dict[str, Any]:
    return {"epochs": 2 * config.epochs}


_SOFT_GRID = {"alpha": (0.5, 0.9), "temperature": (2.0, 4.0, 8.0)}
_TAUGHT = Method(
    "soft targets", "kd", "train=0,baseline=0", teacher_from="teacher", grid=_SOFT_GRID
)
_ADDS = replace(_TAUGHT, like="soft targets", builds_on="soft targets", grid={})
_PEERS = Method(
    "two phases",
    "two_phase",
    "train=0,baseline=0",
    networks=("peer_0 after peer_0", "peer_0", "peer_1 after peer_1", "peer_1", "peer_0+peer_1"),
    baseline=("mutual", "baseline"),
    teacher_from="teacher",
    like="attention",
    grid={"gamma": (0.2, 1.0)},
)

METHODS = (
    Method("alone", "ce", baseline=None),
    Method("teacher", "ce", baseline=None, pinned=True, changes=_whole),
    Method("plain6", "ce", baseline=None, pinned=True, changes=_plain6),
    Method("teacher of little data", "ce", changes=_large),
    _TAUGHT,
    replace(
        _TAUGHT,
        label="soft targets of little data",
        teacher_from="teacher of little data",
        like="soft targets",
        grid={},
    ),
    replace(_ADDS, label="attention", config="at", grid={"beta": (0.03, 0.1, 0.3)}),
    replace(_ADDS, label="hybrid", config="hybrid", grid={"feature_weight": (0.01, 0.1, 1.0)}),
    replace(_ADDS, label="FitNets", config="fitnet"),
    replace(
        _ADDS, label="nuclear norm", config="nuclear", grid={"nuclear_scale": (0.001, 0.01, 0.1)}
    ),
    Method("online", "online", "baseline=0", like="soft targets"),
    Method(
        "mutual",
        "dml",
        networks=("peer_0", "peer_1", "peer_0+peer_1", "baseline"),
        baseline=("mutual", "baseline"),
        grid={"temperature": (1.0, 4.0), "gamma": (0.5, 1.0, 2.0)},
    ),
    _PEERS,
    replace(
        _PEERS,
        label="two phases with teacher",
        options="keep_teacher=1,train=0,baseline=0",
        like="two phases",
        grid={},
    ),
    Method("self", "teacher_free", "baseline=0", grid=_SOFT_GRID),
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
    replace(
        _ADDS,
        label="shuffled teacher",
        changes=lambda config: {"stages.student.terms.soft.shuffle": True},
    ),
    Method(
        "label smoothing",
        "teacher_free",
        "smoothing=1,baseline=0",
        grid={"alpha": (0.05, 0.1, 0.3)},
    ),
    Method("twice the epochs", "ce", changes=_twice),
    replace(_ADDS, label="soft targets for twice the epochs", changes=_twice),
)
BY_LABEL = {method.label: method for method in METHODS}
