"""From a config to a plan: networks, terms, optimisers and data, all checked first."""

import numpy as np
import optax
from ml_collections import ConfigDict

from kdjax.config import build_data, build_terms, formulas, grid, ranges, wiring
from kdjax.config.plan import Plan, Restored, Stage
from kdjax.data.types import DataSet
from kdjax.models.networks import linen
from kdjax.step import augment, optimisers, tasks
from kdjax.step.types import (
    TERMS,
    Hyper,
    Network,
    Preprocessing,
    Range,
    StageCode,
    Term,
    TrainingSet,
)
from kdjax.system import discover, errors
from kdjax.system.errors import UserError

_LEARNING_RATE, _ALPHA = Range(), Range(0.0, 1.0)


def plan(config: ConfigDict, devices: int, data: DataSet | None = None) -> Plan:
    """Everything that a run needs, checked before anything is trained.

    Args:
        config: as `configs/base.py` lays it out.
        devices: the number of devices that share each training batch.
        data: the data set in place of the config's own.

    Raises:
        UserError: a value out of its range, or a name that is not there.
    """
    members = grid.read(config)
    for checked in (config, *(member.config for member in members)):
        check(checked)
    data = data or build_data.load_data(config)
    stages = tuple(_stage(config, name, data, devices) for name in config.stage_order)
    classes, shape = len(data.class_names), data.image_shape
    restored = {
        name: Restored(
            network=network(config, name, classes, shape),
            workdir=entry.workdir,
            source=entry.source or name,
            head=entry.head,
            other_data=entry.other_data,
            saved=network(config, name, entry.classes if entry.classes >= 0 else classes, shape),
            head_layers=head_layers(config, name, shape) if entry.head == "new" else (),
            seed=config.seed,
        )
        for name, entry in config.networks.items()
        if entry.workdir
    }
    seeds = {member.config.seed for member in members}
    for name, entry in config.networks.items():
        if entry.head == "new" and len(seeds) > 1:
            raise UserError(
                f"a sweep over seeds gives network {name!r} the same new last layer in every "
                "member (head=new): run each seed on its own, with --config.seed"
            )
    models = {name: entry.model for name, entry in config.networks.items()}
    counts = {name: classes_of(entry, classes) for name, entry in config.networks.items()}
    wiring.check(stages, restored, models, counts, data)
    if members:
        of_members = {
            name: [_stage(member.config, name, data, devices) for member in members]
            for name in config.stage_order
        }
        stages = grid.expand(stages, members, of_members, config)
    return Plan(
        data=data,
        stages=stages,
        restored=restored,
        appearance=build_data.appearance(config.data),
        preprocessing=run_preprocessing(config.data),
        data_seed=config.data.seed,
        streaming=build_data.streaming(config, data),
        workers=config.data.workers,
        teacher_cache=config.teacher_cache,
        data_dir=config.data.data_dir,
        steps_per_call=config.steps_per_call,
        parallel=config.parallel,
        eval_batch_size=config.eval_batch_size,
        log_every=config.log_every,
        validate_every_epochs=config.validate_every_epochs,
        checkpoint_every_epochs=config.checkpoint_every_epochs,
        tensorboard=config.tensorboard,
    )


def check(config: ConfigDict) -> None:
    """All that can be checked of a config before its data is read, which may take long.

    Raises:
        UserError: a value out of its range, or a name that is not there.
    """
    ranges.check(config)
    formulas.check(config.alpha, formulas.names_of(config, config), "alpha", _ALPHA)
    for name in config.stage_order:
        stage, key = config.stages[name], f"stages.{name}"
        names = formulas.names_of(config, stage)
        for term_name, entry in stage.terms.items():
            where = f"{key}.terms.{term_name}"
            term, values = build_terms.term(dict(entry), tasks.MULTI_CLASS, where)
            for hyper, value in values.items():
                formulas.check(value, names, f"{where}.{hyper}", build_terms.allowed(term, hyper))
        rate = f"{key}.learning_rate_schedule"
        formulas.check(stage.learning_rate_schedule, names, rate, _LEARNING_RATE)
        formulas.check(stage.trunk_rate, names, f"{key}.trunk_rate", _LEARNING_RATE)
        _optimiser(stage, key)
        build_data.require_room(config.data, stage.batch_size)
    for entry in config.networks.values():
        discover.model(entry.model)
    build_data.views(config)


def network(
    config: ConfigDict, name: str, classes: int, image_shape: tuple[int, int, int]
) -> Network:
    """The network of one name.

    Args:
        config: of the run.
        name: a key of `config.networks`.
        classes: the data set's number of classes or attributes.
        image_shape: `(h, w, c)` of the run's images.

    Raises:
        UserError: the config has none of that name, or its model is unknown.
    """
    if name not in config.networks:
        raise discover.unknown("network", name, config.networks)
    entry = config.networks[name]
    if entry.pair and entry.pair not in config.networks:
        raise discover.unknown(
            f"network in config.networks.{name}.pair", entry.pair, config.networks
        )
    make = discover.model(entry.model)
    preprocessing = own_preprocessing(config, name)
    try:
        module = make(classes=classes_of(entry, classes), dropout=entry.dropout)
    except TypeError as error:
        raise UserError(f"{errors.place(make)}: {errors.describe(error)}") from error
    if not hasattr(module, "init"):
        kind = type(module).__name__
        raise UserError(f"{errors.place(make)}: {entry.model} returns {kind}, no Flax module")
    return linen.network(
        module,
        image_shape=read_shape(preprocessing, image_shape),
        key_name=entry.pair or name,
        precision=config.precision,
        remat=entry.remat,
        preprocessing=preprocessing,
        quantise=entry.quantise,
    )


def classes_of(entry: ConfigDict, classes: int) -> int:
    """The number of classes of a network, by its part of the config and the data set's number."""
    if entry.head == "none":
        return 0
    return entry.classes if entry.head == "own" and entry.classes >= 0 else classes


def head_layers(
    config: ConfigDict, name: str, image_shape: tuple[int, int, int]
) -> tuple[str, ...]:
    """The names of a network's layers that depend on this run's number of classes."""
    entry = config.networks[name]
    if entry.head in ("none", "own"):
        return ()
    shape = read_shape(own_preprocessing(config, name), image_shape)
    return linen.head_layers(discover.model(entry.model), shape)


def read_shape(
    preprocessing: Preprocessing | None, image_shape: tuple[int, int, int]
) -> tuple[int, int, int]:
    """`(h, w, c)` of the images that a network reads, from the shape of the run's images."""
    if preprocessing is None:
        return image_shape
    return preprocessing.size, preprocessing.size, len(preprocessing.mean)


def run_preprocessing(data: ConfigDict) -> Preprocessing:
    """The preprocessing of networks that have none of their own."""
    mean, std = build_data.normalisation(data)
    return Preprocessing(data.size, mean, std, "bilinear")


def own_preprocessing(config: ConfigDict, name: str) -> Preprocessing | None:
    """A network's own preprocessing; None where it reads the run's images as they are.

    Raises:
        UserError: it does not fit the run's images.
    """
    entry = config.networks[name].preprocessing
    mean, std = build_data.normalisation(config.data)
    if not (entry.size or entry.mean):
        return None
    own = Preprocessing(
        size=entry.size or config.data.size,
        mean=tuple(entry.mean) or mean,
        std=tuple(entry.std) or std,
        interpolation=entry.interpolation,
    )
    if len(own.mean) < len(mean):
        raise UserError(
            f"network {name!r} reads grey images, and this run's have {len(mean)} channels: set "
            "config.data.mean and std to one number each"
        )
    return own


def _stage(config: ConfigDict, name: str, data: DataSet, devices: int) -> Stage:
    stage, key = config.stages[name], f"stages.{name}"
    train, classes = data.splits["train"], len(data.class_names)
    steps_per_epoch = _steps_per_epoch(config, name, len(train.id), devices)
    names = formulas.names_of(config, stage)
    task = tasks.MULTI_LABEL if data.attributes else tasks.MULTI_CLASS

    terms: dict[str, Term] = {}
    hypers: dict[str, dict[str, object]] = {}
    # In sorted order, so that the order in a config file changes nothing.
    for term_name in sorted(stage.terms):
        where = f"{key}.terms.{term_name}"
        terms[term_name], values = build_terms.term(dict(stage.terms[term_name]), task, where)
        hypers[term_name] = {
            hyper: formulas.schedule(value, names, steps_per_epoch, f"{where}.{hyper}")
            for hyper, value in values.items()
        }
    for reserved in {"loss", "learning_rate", "trunk_rate"} & terms.keys():
        raise UserError(f"config.{key}.terms: no term can have the name {reserved!r}")
    trained = tuple(sorted(stage.train))
    read = {network_name for term in terms.values() for network_name in term.reads}
    for unread in sorted(set(trained) - read):
        raise UserError(f"config.{key}.train names {unread!r}, but no term of the stage reads it")
    if TERMS in read:
        raise UserError(f"a network cannot be named {TERMS!r}")

    mean, std = build_data.normalisation(config.data)
    fill = tuple(config.data.mean) if config.data.normalisation == "unit" else mean
    rate = f"{key}.learning_rate_schedule"

    networks = {n: network(config, n, classes, data.image_shape) for n in sorted({*trained, *read})}

    def head(network_name: str) -> tuple[str, ...]:
        return head_layers(config, network_name, data.image_shape)

    only = {
        n: head(n) if layers == ("head",) and n in networks else layers
        for n, layers in build_terms.values(stage.only).items()
    }
    is_slower = stage.trunk_rate != 1.0
    heads = {n: head(n) for n in trained} if is_slower else {}
    for headless in (n for n, layers in heads.items() if not layers):
        raise UserError(
            f"config.{key}.trunk_rate is for networks with this run's classes, and {headless!r} "
            "has none of them"
        )
    for name_running in stage.running_statistics:
        if name_running not in trained:
            where = f"trained network in config.{key}.running_statistics"
            raise discover.unknown(where, name_running, trained)
        if config.networks[name_running].quantise:
            raise UserError(
                f"config.{key}.running_statistics names {name_running!r}, whose quantise has an "
                "effect in training mode alone: leave one of them out"
            )
    return Stage(
        name=name,
        code=StageCode(
            networks=networks,
            trained=trained,
            terms=terms,
            task=task,
            training_set=TrainingSet(train.label, train.id, classes),
            optimiser=_optimiser(stage, key),
            augment=augment.make(
                classes=classes, mean=fill, **build_terms.values(config.data.augment)
            ),
            mean=mean,
            std=std,
            only=only,
            heads=heads,
            running_statistics=tuple(stage.running_statistics),
            views=build_data.views(config),
        ),
        hyper=Hyper(
            seed=np.uint32(config.seed),  # type: ignore[arg-type]
            data_seed=np.uint32(config.data.seed),  # type: ignore[arg-type]
            learning_rate=formulas.schedule(
                stage.learning_rate_schedule, names, steps_per_epoch, rate
            ),
            terms=hypers,
            trunk_rate=formulas.schedule(
                stage.trunk_rate, names, steps_per_epoch, f"{key}.trunk_rate"
            )
            if is_slower
            else None,
        ),
        epochs=stage.epochs,
        batch_size=stage.batch_size,
        patience=stage.patience,
        init_from=dict(stage.init_from),
        select=stage.select,
        steps_per_call=config.steps_per_call,
    )


def _steps_per_epoch(config: ConfigDict, name: str, examples: int, devices: int) -> int:
    """The number of whole training batches; a smaller last batch is left out."""
    stage, key = config.stages[name], f"stages.{name}"
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
    return steps_per_epoch


def _optimiser(stage: ConfigDict, key: str) -> optax.GradientTransformation:
    """The stage's optimiser, without its learning rate."""
    try:
        return optimisers.make(
            stage.optimiser,
            weight_decay=stage.weight_decay,
            decay_all=stage.decay_all,
            clip_norm=stage.clip_norm,
        )
    except ValueError as error:
        raise UserError(f"config.{key}.optimiser: {error}") from error
