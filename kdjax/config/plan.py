"""The types of a plan: a run, its stages, and the networks that come from other runs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kdjax.data.types import DataSet
from kdjax.step.types import Network, Preprocessing, StageCode


class Stage(NamedTuple):
    """One stage, ready to run."""

    name: str
    code: StageCode
    hyper: Any
    """The stage's `Hyper`; for several members (`kdjax.step.members`), a `Hyper` by label."""
    epochs: int
    batch_size: int
    patience: int
    """Epochs without a better validation accuracy before the stage ends; 0: never."""
    init_from: Mapping[str, str]
    """For a trained network, the one whose weights it starts from."""
    select: str
    """Which networks teach later stages and head the result: "best" on validation, or "last"."""
    steps_per_call: int
    """The number of steps that one call runs, as a loop on the device."""

    @property
    def execution(self) -> dict[str, Any]:
        """How a sweep's members are executed, for the record: another way rounds differently."""
        swept = self.code.swept
        return {"vmap": swept.vmap, "together": swept.together} if swept else {}


class Restored(NamedTuple):
    """A network that comes from another run."""

    network: Network
    workdir: str
    source: str
    """The network's name in that run."""
    head: str
    """"new" for a fresh last layer, "own" for classes of its own, else empty."""
    other_data: bool
    """Whether it may have been trained on other images than this run's data set."""
    saved: Network
    """The network as that run has it, with that run's number of classes."""
    head_layers: tuple[str, ...]
    """The layers that depend on the number of classes."""
    seed: int
    """Keys a fresh last layer."""


class Plan(NamedTuple):
    """A whole run."""

    data: DataSet
    stages: tuple[Stage, ...]
    restored: Mapping[str, Restored]
    appearance: Mapping[str, Any]
    """The config's values that decide what images look like to a network, by their keys."""
    preprocessing: Preprocessing
    """The run's own, for networks that have none."""
    data_seed: int
    streaming: bool
    """Whether batches are read from disk as they are needed; else all images are on the devices."""
    workers: int
    teacher_cache: bool
    """Whether frozen networks' outputs are computed once (`kdjax.training.teacher_cache`)."""
    data_dir: str
    steps_per_call: int
    parallel: str
    eval_batch_size: int
    log_every: int
    validate_every_epochs: int
    checkpoint_every_epochs: int
    tensorboard: bool
