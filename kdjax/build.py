"""From a config to networks, terms, optimisers and data: the only reader of config's meaning."""

import functools
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from kdjax import augment, discover, optim, schedules, tasks
from kdjax.data import splits, tfds_source
from kdjax.data.types import DataSet, Request
from kdjax.errors import UserError
from kdjax.models import linen
from kdjax.step import TERMS, Program
from kdjax.types import Hyper, Network, Term


class Stage(NamedTuple):
    """One stage, ready to run."""

    name: str
    program: Program
    hyper: Hyper
    epochs: int
    batch_size: int
    patience: int
    """Epochs without a better validation accuracy before the stage ends; 0: never."""


class Plan(NamedTuple):
    """A whole run."""

    data: DataSet
    stages: tuple[Stage, ...]
    data_seed: int
    parallel: str
    select: str
    eval_batch_size: int
    log_every: int
    checkpoint_every_epochs: int
    tensorboard: bool


def plan(config: ConfigDict, devices: int) -> Plan:
    """Everything that a run needs, checked before anything is trained.

    Args:
        config: as `configs/base.py` lays it out.
        devices: how many devices share each batch.

    Raises:
        UserError: a value out of its range, or a name that is not there.
    """
    check(config)
    data = load_data(config)
    stages = tuple(_stage(config, name, data, devices) for name in config.stage_order)
    _check_order(stages)
    return Plan(
        data,
        stages,
        config.data.seed,
        config.parallel,
        config.select,
        config.eval_batch_size,
        config.log_every,
        config.checkpoint_every_epochs,
        config.tensorboard,
    )


def check(config: ConfigDict) -> None:
    """Ranges of the values that are not checked where they are used.

    Raises:
        UserError: the first one that is out of range.
    """

    def require(holds: bool, key: str, value: object, what: str) -> None:
        if not holds:
            raise UserError(f"config.{key} is {value}; it must be {what}")

    def positive(key: str, value: float) -> None:
        require(value > 0, key, value, "greater than 0")

    require(0 <= config.alpha <= 1, "alpha", config.alpha, "in [0, 1]")
    positive("temperature", config.temperature)
    for key in ("eval_batch_size", "log_every", "checkpoint_every_epochs"):
        positive(key, config[key])
    for key in ("seed", "data.seed"):
        value = config.seed if key == "seed" else config.data.seed
        require(0 <= value < 2**32, key, value, "in [0, 2^32)")
    require(config.select in ("best", "last"), "select", repr(config.select), "best or last")
    require(0 < config.data.fraction <= 1, "data.fraction", config.data.fraction, "in (0, 1]")
    require(
        0 <= config.data.validation < 0.9, "data.validation", config.data.validation, "in [0, 0.9)"
    )
    require(bool(config.stage_order), "stage_order", config.stage_order, "one stage or more")
    for name in config.stage_order:
        if name not in config.stages:
            raise discover.unknown("stage in config.stage_order", name, config.stages)
        key, stage = f"stages.{name}", config.stages[name]
        for field in ("epochs", "batch_size"):
            positive(f"{key}.{field}", stage[field])
        require(stage.patience >= 0, f"{key}.patience", stage.patience, "0 or more")
        validated = config.data.validation > 0 and not config.data.refit
        without = "0 where nothing is held out for validation"
        require(validated or not stage.patience, f"{key}.patience", stage.patience, without)
        positive(f"{key}.optimiser.learning_rate.start", stage.optimiser.learning_rate.start)
        for term_name, term in stage.terms.items():
            if "temperature" in term:
                schedule = term.temperature
                positive(f"{key}.terms.{term_name}.temperature.start", schedule.start)
                if schedule.kind in ("linear", "cosine", "exponential"):
                    positive(f"{key}.terms.{term_name}.temperature.end", schedule.end)


def load_data(config: ConfigDict) -> DataSet:
    """The data set, split.

    Raises:
        UserError: it is unknown, not prepared, or does not fit what the config says of it.
    """
    name, wanted = config.data.name, config.data
    not_sources = ("types", "splits", "orders", "images", "archive", "tfds_source")
    if name.startswith("tfds/"):
        read = functools.partial(tfds_source.read, name.removeprefix("tfds/"))
    else:
        read = discover.module("kdjax.data", name, "data set", without=not_sources).read
    channels = len(wanted.mean)
    if channels not in (1, 3) or len(wanted.std) != channels:
        raise UserError(
            f"config.data.mean and config.data.std have {channels} and {len(wanted.std)} values; "
            "they need one each for grey images and three for colour"
        )
    raw = read(Request(wanted.data_dir, wanted.path, wanted.size, channels))
    data = splits.prepare(
        raw,
        seed=wanted.seed,
        validation=wanted.validation,
        fraction=wanted.fraction,
        refit=wanted.refit,
    )
    if data.image_shape[2] != channels:
        raise UserError(
            f"config.data.mean has {channels} values; images of {name} have "
            f"{data.image_shape[2]} channels"
        )
    return data


def network(config: ConfigDict, name: str, data: DataSet) -> Network:
    """The network of one name.

    Raises:
        UserError: the config has none of that name, or its model is unknown.
    """
    if name not in config.networks:
        raise discover.unknown("network", name, config.networks)
    chosen = config.networks[name]
    if not 0 <= chosen.dropout < 1:
        raise UserError(f"config.networks.{name}.dropout is {chosen.dropout}; it must be in [0, 1)")
    make = discover.model(chosen.model)
    module = make(classes=len(data.class_names), dropout=chosen.dropout)
    return linen.network(module, image_shape=data.image_shape, key_name=chosen.pair or name)


def schedule(config: ConfigDict, steps_per_epoch: int, key: str) -> schedules.Schedule:
    """A schedule in steps, from one in epochs.

    Raises:
        UserError: an unknown kind.
    """

    def value(x: Any) -> Any:
        return np.asarray(x, np.float32)

    def steps(epochs: Any) -> Any:
        return value(np.asarray(epochs, np.float64) * steps_per_epoch)

    line = (value(config.start), value(config.end), steps(config.begin), steps(config.finish))
    kinds: dict[str, Any] = {
        "constant": lambda: schedules.Constant(value(config.start)),
        "linear": lambda: schedules.Linear(*line),
        "cosine": lambda: schedules.Cosine(*line),
        "exponential": lambda: schedules.Exponential(
            value(config.start), value(config.end), value(config.rate), steps(config.every)
        ),
        "steps": lambda: schedules.Steps(
            value(config.start), value(config.rate), steps(config.boundaries)
        ),
    }
    if config.kind not in kinds:
        raise discover.unknown(f"kind of schedule in config.{key}", config.kind, kinds)
    made = kinds[config.kind]()
    return schedules.WarmUp(steps(config.warm_up), made) if config.warm_up else made


def _stage(config: ConfigDict, name: str, data: DataSet, devices: int) -> Stage:
    stage, key = config.stages[name], f"stages.{name}"
    examples = len(data.splits["train"].id)
    if stage.batch_size > examples:
        raise UserError(
            f"config.{key}.batch_size is {stage.batch_size}, but there are only {examples} "
            "training examples; choose a smaller one"
        )
    sizes = {f"{key}.batch_size": stage.batch_size, "eval_batch_size": config.eval_batch_size}
    for what, size in sizes.items():
        if size % devices:
            raise UserError(f"config.{what} is {size}; it must be a multiple of {devices} devices")
    steps_per_epoch = examples // stage.batch_size

    terms: dict[str, Term] = {}
    weights: dict[str, dict[str, Any]] = {}
    # In sorted order, so that the order in a config file changes nothing.
    for term_name in sorted(stage.terms):
        wiring = dict(stage.terms[term_name])
        terms[term_name], weights[term_name] = _term(wiring, steps_per_epoch, key, term_name)

    trained = tuple(sorted(stage.train))
    read = {network_name for term in terms.values() for network_name in term.reads}
    for idle in sorted(set(trained) - read):
        raise UserError(f"config.{key}.train names {idle!r}, but no term of the stage reads it")
    if TERMS in read:
        raise UserError(f"a network cannot be named {TERMS!r}")
    networks = {n: network(config, n, data) for n in sorted({*trained, *read})}

    optimiser = {k: v for k, v in stage.optimiser.items() if k != "learning_rate"}
    try:
        direction = optim.make(**optimiser)
    except ValueError as error:
        raise UserError(f"config.{key}.optimiser.kind: {error}") from error
    program = Program(
        networks=networks,
        trained=trained,
        terms=terms,
        task=tasks.MULTI_CLASS,
        optimiser=direction,
        augment=augment.make(pad=config.data.pad, flip=config.data.flip),
        mean=tuple(config.data.mean),
        std=tuple(config.data.std),
    )
    rate = stage.optimiser.learning_rate
    hyper = Hyper(
        seed=np.uint32(config.seed),  # type: ignore[arg-type]
        data_seed=np.uint32(config.data.seed),  # type: ignore[arg-type]
        learning_rate=schedule(rate, steps_per_epoch, f"{key}.optimiser.learning_rate"),
        terms=weights,
    )
    return Stage(name, program, hyper, stage.epochs, stage.batch_size, stage.patience)


def _term(
    wiring: dict[str, Any], steps_per_epoch: int, key: str, name: str
) -> tuple[Term, dict[str, Any]]:
    kind = wiring.pop("kind")
    values: dict[str, Any] = {
        part: schedule(wiring.pop(part), steps_per_epoch, f"{key}.terms.{name}.{part}")
        for part in ("weight", "temperature")
        if part in wiring
    }
    found = discover.module("kdjax.terms", kind, f"kind of term in config.{key}.terms.{name}")
    return found.make(task=tasks.MULTI_CLASS, **wiring), values


def _check_order(stages: tuple[Stage, ...]) -> None:
    trained: set[str] = set()
    for stage in stages:
        for name in stage.program.frozen:
            if name not in trained:
                raise UserError(
                    f"stage {stage.name!r} reads network {name!r}, which no earlier stage trains; "
                    f"trained before it: {', '.join(sorted(trained)) or 'none'}"
                )
        trained |= set(stage.program.trained)
