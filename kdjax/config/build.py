"""From a config to networks, terms, optimisers and data: the only reader of config's meaning."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from ml_collections import ConfigDict

from kdjax.config import build_data, build_sweep, build_terms, ranges, wiring
from kdjax.config.build_data import appearance, load_data, normalisation
from kdjax.data.types import DataSet
from kdjax.models.networks import linen
from kdjax.step import augment, optimisers, tasks
from kdjax.step.types import TERMS, Hyper, Network, StageCode, Term, TrainingSet
from kdjax.system import discover, errors
from kdjax.system.errors import UserError


class Stage(NamedTuple):
    """One stage, ready to run."""

    name: str
    code: StageCode
    hyper: Any
    """`Hyper`; where there are several members (`kdjax.step.members`), theirs by label."""
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
    """Its name there."""


class Plan(NamedTuple):
    """A whole run."""

    data: DataSet
    stages: tuple[Stage, ...]
    restored: Mapping[str, Restored]
    appearance: Mapping[str, Any]
    """What images look like to a network."""
    data_seed: int
    streaming: bool
    """Whether batches are read from disk as they are needed; else all images are on the devices."""
    workers: int
    teacher_cache: bool
    """Whether frozen networks' answers are computed once (`kdjax.training.teacher_cache`)."""
    data_dir: str
    steps_per_call: int
    parallel: str
    eval_batch_size: int
    log_every: int
    validate_every_epochs: int
    checkpoint_every_epochs: int
    tensorboard: bool


def plan(config: ConfigDict, devices: int) -> Plan:
    """Everything that a run needs, checked before anything is trained.

    Args:
        config: as `configs/base.py` lays it out.
        devices: how many devices share each training batch.

    Raises:
        UserError: a value out of its range, or a name that is not there.
    """
    members = build_sweep.read(config)
    for every in (config, *(member.config for member in members)):
        check(every)
    data = load_data(config)
    stages = tuple(_stage(config, name, data, devices) for name in config.stage_order)
    restored = {
        name: Restored(network(config, name, data), chosen.workdir, chosen.source or name)
        for name, chosen in config.networks.items()
        if chosen.workdir
    }
    models = {name: chosen.model for name, chosen in config.networks.items()}
    label = data.splits["train"].label
    two = jax.ShapeDtypeStruct((2, *label.shape[1:]), label.dtype)
    classes = len(data.class_names)
    wiring.check(stages, tuple(restored), models, data.image_shape, two, classes)
    return Plan(
        data,
        _expanded(config, members, stages, data, devices),
        restored,
        appearance(config.data),
        config.data.seed,
        build_data.streaming(config, data),
        config.data.workers,
        config.teacher_cache,
        config.data.data_dir,
        config.steps_per_call,
        config.parallel,
        config.eval_batch_size,
        config.log_every,
        config.validate_every_epochs,
        config.checkpoint_every_epochs,
        config.tensorboard,
    )


def check(config: ConfigDict) -> None:
    """All that can be said of a config before its data is read, which may take long.

    Raises:
        UserError: a value out of its range, or a name that is not there.
    """
    ranges.check(config)
    for name in config.stage_order:
        stage, key = config.stages[name], f"stages.{name}"
        for term_name, term in stage.terms.items():
            build_terms.term(dict(term), tasks.MULTI_CLASS, 1, key, term_name)
            for part in ("weight", "temperature"):
                if part in term:
                    where = f"{key}.terms.{term_name}.{part}"
                    ranges.check_values(where, term[part], stage.epochs)
        rate = stage.optimiser.learning_rate
        ranges.check_values(f"{key}.optimiser.learning_rate", rate, stage.epochs)
        _direction(stage, key)
        build_data.require_room(config.data, stage.batch_size)
    for network in config.networks.values():
        discover.model(network.model)
    build_data.views(config)


def _expanded(
    config: ConfigDict,
    members: list[build_sweep.Member],
    stages: tuple[Stage, ...],
    data: DataSet,
    devices: int,
) -> tuple[Stage, ...]:
    """With all members of a sweep."""

    def build(member: ConfigDict, name: str) -> Stage:
        return _stage(member, name, data, devices)

    return build_sweep.expand(stages, members, build, config)


def network(config: ConfigDict, name: str, data: DataSet) -> Network:
    """The network of one name.

    Raises:
        UserError: the config has none of that name, or its model is unknown.
    """
    if name not in config.networks:
        raise discover.unknown("network", name, config.networks)
    chosen = config.networks[name]
    if chosen.pair and chosen.pair not in config.networks:
        raise discover.unknown(
            f"network in config.networks.{name}.pair", chosen.pair, config.networks
        )
    make = discover.model(chosen.model)
    try:
        module = make(classes=len(data.class_names), dropout=chosen.dropout)
    except TypeError as error:
        raise UserError(f"{errors.place(make)}: {errors.describe(error)}") from error
    if not hasattr(module, "init"):
        kind = type(module).__name__
        raise UserError(f"{errors.place(make)}: {chosen.model} returns {kind}, no Flax module")
    return linen.network(
        module,
        image_shape=data.image_shape,
        key_name=chosen.pair or name,
        precision=config.precision,
        remat=chosen.remat,
    )


def _stage(config: ConfigDict, name: str, data: DataSet, devices: int) -> Stage:
    stage, key = config.stages[name], f"stages.{name}"
    train = data.splits["train"]
    examples = len(train.id)
    if stage.batch_size > examples:
        source = ranges.source(config, key, "batch_size")
        raise UserError(
            f"stage {name!r} has batches of {stage.batch_size}, but there are only {examples} "
            f"training examples; choose a smaller --config.{source}"
        )
    if stage.batch_size % devices:
        raise UserError(
            f"config.{key}.batch_size is {stage.batch_size}; it must be a multiple of {devices} "
            "devices"
        )
    steps_per_epoch = examples // stage.batch_size
    if (steps := stage.epochs * steps_per_epoch) > ranges.LARGEST_INTEGER:
        raise UserError(
            f"config.{key}.epochs is {stage.epochs}: {steps:,} steps are more than "
            f"{ranges.LARGEST_INTEGER:,}, the largest number in which steps are counted"
        )
    task = tasks.MULTI_LABEL if data.attributes else tasks.MULTI_CLASS

    terms: dict[str, Term] = {}
    weights: dict[str, dict[str, Any]] = {}
    # In sorted order, so that the order in a config file changes nothing.
    for term_name in sorted(stage.terms):
        given = dict(stage.terms[term_name])
        terms[term_name], weights[term_name] = build_terms.term(
            given, task, steps_per_epoch, key, term_name
        )

    for reserved in {"loss", "learning_rate"} & terms.keys():
        raise UserError(f"config.{key}.terms: no term can have the name {reserved!r}")
    trained = tuple(sorted(stage.train))
    read = {network_name for term in terms.values() for network_name in term.reads}
    for idle in sorted(set(trained) - read):
        raise UserError(f"config.{key}.train names {idle!r}, but no term of the stage reads it")
    if TERMS in read:
        raise UserError(f"a network cannot be named {TERMS!r}")
    networks = {n: network(config, n, data) for n in sorted({*trained, *read})}

    mean, std = normalisation(config.data)
    fill = tuple(config.data.mean) if config.data.normalisation == "unit" else mean
    code = StageCode(
        networks=networks,
        trained=trained,
        terms=terms,
        task=task,
        training_set=TrainingSet(train.label, train.id, len(data.class_names)),
        optimiser=_direction(stage, key),
        augment=augment.make(
            classes=len(data.class_names), mean=fill, **build_terms.values(config.data.augment)
        ),
        mean=mean,
        std=std,
        only=build_terms.values(stage.only),
        views=build_data.views(config),
    )
    rate = stage.optimiser.learning_rate
    hyper = Hyper(
        seed=np.uint32(config.seed),  # type: ignore[arg-type]
        data_seed=np.uint32(config.data.seed),  # type: ignore[arg-type]
        learning_rate=build_terms.schedule(rate, steps_per_epoch, f"{key}.optimiser.learning_rate"),
        terms=weights,
    )
    return Stage(
        name,
        code,
        hyper,
        stage.epochs,
        stage.batch_size,
        stage.patience,
        dict(stage.init_from),
        stage.select,
        config.steps_per_call,
    )


def _direction(stage: ConfigDict, key: str) -> optax.GradientTransformation:
    """The stage's optimiser, without its learning rate."""
    settings = {k: v for k, v in stage.optimiser.items() if k != "learning_rate"}
    try:
        return optimisers.make(**settings)
    except ValueError as error:
        raise UserError(f"config.{key}.optimiser.kind: {error}") from error
