"""The pieces that methods are wired from: networks, schedules, terms and stages."""

from typing import Any

from ml_collections import ConfigDict, FieldReference

from configs import datasets


def network(
    *,
    model: Any,
    dropout: Any = 0.0,
    pair: str = "",
    workdir: str = "",
    source: str = "",
    remat: bool = False,
) -> ConfigDict:
    """A network.

    Args:
        model: `<file>.<function>` in `kdjax/models`.
        dropout: rate ahead of the last layer.
        pair: another network, whose initialisation and dropout masks this one repeats.
        workdir: of a finished run, from which the network is restored; stages then read it, or
            train it on from there.
        source: its name in that run, if another.
        remat: compute activations again for the gradient: less memory, more time.
    """
    return ConfigDict(
        dict(model=model, dropout=dropout, pair=pair, workdir=workdir, source=source, remat=remat)
    )


def at_most(limit: float, reference: FieldReference) -> FieldReference:
    """The smaller of a number and a reference to one, computed whenever it is read."""
    return (reference + limit - abs(reference - limit)) / 2.0


def schedule(start: Any, **changes: Any) -> ConfigDict:
    """A value that may change over a stage; all times are in epochs of the stage.

    Args:
        start: the value, or a reference to one.
        **changes: `kind` is constant, linear or cosine (from `start` at epoch `begin` to `end` at
            epoch `finish`), exponential (`start * rate^n` after n times `every` epochs from `begin`
            on, never past `end`) or steps (`start` times `rate` from each of the epochs
            `boundaries` on). `warm_up` epochs of linear growth from 0 to `start` come first, and
            `begin` is their end at the earliest: a cosine with a warm-up is optax's
            `warmup_cosine_decay_schedule`. `offset + factor * value` is what counts.
    """
    values = dict(
        kind="constant",
        start=start,
        # A reference of its own, or setting one would set the other.
        end=start.identity() if isinstance(start, FieldReference) else start,
        begin=0.0,
        finish=0.0,
        rate=1.0,
        every=1.0,
        boundaries=(),
        warm_up=0.0,
        offset=0.0,
        factor=1.0,
    )
    return ConfigDict(values | changes)


def alpha(config: ConfigDict, *, factor: Any = 1.0) -> ConfigDict:
    """The weight of the distillation side, or a multiple: it follows `config.alpha_schedule`."""
    return _follow(config, "alpha", factor=factor)


def one_minus_alpha(config: ConfigDict) -> ConfigDict:
    """The weight of the labels."""
    return _follow(config, "alpha", offset=1.0, factor=-1.0)


def temperature(config: ConfigDict) -> ConfigDict:
    """Of every term that has one; it follows `config.temperature_schedule`."""
    return _follow(config, "temperature")


def _follow(config: ConfigDict, key: str, *, offset: Any = 0.0, factor: Any = 1.0) -> ConfigDict:
    """`offset + factor * x`, x the schedule of a top-level value, which the config then has."""
    name = f"{key}_schedule"
    if name not in config:
        config[name] = schedule(config.get_oneway_ref(key))
    fields = {field: config[name].get_oneway_ref(field) for field in config[name]}
    fields["offset"] = factor * fields["offset"] + offset
    fields["factor"] = factor * fields["factor"]
    return ConfigDict(fields)


def _moving(value: Any) -> ConfigDict:
    return value if isinstance(value, ConfigDict) else schedule(value)


def ce(config: ConfigDict, *, network: str, weight: Any = 1.0) -> ConfigDict:
    """Hard labels for one network."""
    smoothing = config.get_oneway_ref("label_smoothing")
    return ConfigDict(
        dict(kind="ce", network=network, label_smoothing=smoothing, weight=_moving(weight))
    )


def soft(
    config: ConfigDict,
    *,
    student: str,
    teacher: str | tuple[str, ...],
    weight: Any,
    **changes: Any,
) -> ConfigDict:
    """Soft targets of one network for another; `weight` is a value or a schedule."""
    return ConfigDict(
        dict(
            kind="soft",
            student=student,
            teacher=teacher,
            form="kl",
            average="logits",
            scale_by_t2=True,
            detach_teacher=True,
            # A control: every example gets another one's target.
            shuffle=False,
            weight=_moving(weight),
            temperature=temperature(config),
        )
        | changes
    )


def term(kind: str, *, weight: Any, **wiring: Any) -> ConfigDict:
    """A term of `kdjax/terms/<kind>.py`; `weight` and `temperature` are values or schedules."""
    moving = {"weight": weight}
    if "temperature" in wiring:
        moving["temperature"] = wiring.pop("temperature")
    schedules = {key: _moving(value) for key, value in moving.items()}
    return ConfigDict(dict(kind=kind, **wiring) | schedules)


def stage(
    config: ConfigDict,
    *,
    train: tuple[str, ...],
    terms: dict[str, ConfigDict],
    init_from: dict[str, str] | None = None,
    only: dict[str, tuple[str, ...]] | None = None,
) -> ConfigDict:
    """A stage that trains some networks by a weighted sum of terms.

    Networks that its terms read and that it does not train come, frozen, from the latest earlier
    stage that trained them.

    Args:
        config: what the stage's keys refer to.
        train: names of the networks that learn.
        terms: by name.
        init_from: for a trained network, the one whose weights it starts from: itself, to go on
            where an earlier stage ended, or another. Others start afresh.
        only: for a trained network, the names of the layers that learn (`Conv_0`, ...); the others
            stay as they are, BatchNorm's statistics included. Networks not named learn whole.
    """
    epochs = config.get_oneway_ref("epochs")
    return ConfigDict(
        dict(
            train=train,
            init_from=init_from or {},
            only=only or {},
            epochs=epochs,
            batch_size=config.get_oneway_ref("batch_size"),
            patience=config.get_oneway_ref("patience"),
            select=config.get_oneway_ref("select"),
            optimiser=dict(
                kind="adamw",
                learning_rate=schedule(
                    config.get_oneway_ref("learning_rate"),
                    kind="cosine",
                    end=0.0,
                    finish=epochs.to_float(),
                ),
                momentum=0.9,
                nesterov=False,
                b1=0.9,
                b2=0.999,
                eps=1e-8,
                weight_decay=config.get_oneway_ref("weight_decay"),
                # Decay biases and BatchNorm too.
                decay_all=False,
                # Largest gradient norm of one network; 0: no clipping.
                clip_norm=0.0,
            ),
            terms=terms,
        )
    )


def add_stage(config: ConfigDict, name: str, new: ConfigDict) -> None:
    """Puts a stage behind those that the config has."""
    config.stages[name] = new
    config.stage_order = (*config.stage_order, name)


def add_baseline(config: ConfigDict, *, pair: str) -> None:
    """Adds a stage that trains `pair`'s network on hard labels alone, as `baseline`.

    Same initialisation, dropout, data order, augmentation and recipe (the top-level keys): what
    differs is the method.
    """
    partner = config.networks[pair]
    config.networks.baseline = network(
        model=partner.get_oneway_ref("model"),
        dropout=partner.get_oneway_ref("dropout"),
        pair=pair,
    )
    terms = {"ce": ce(config, network="baseline")}
    add_stage(config, "baseline", stage(config, train=("baseline",), terms=terms))


def add_teacher(config: ConfigDict, dataset: str, *, train: int) -> None:
    """Adds the data set's `teacher`, and the stage that trains it on hard labels.

    Args:
        config: to add to.
        dataset: its entry names the model.
        train: 0 leaves the stage out, for a teacher from another run
            (`--config.networks.teacher.workdir=DIR`).
    """
    config.networks.teacher = network(model=datasets.settings(dataset)["teacher"])
    if train:
        add_hard_stage(config, "teacher")


def add_hard_stage(config: ConfigDict, name: str) -> None:
    """Adds a stage that trains one network on hard labels, by the network's name."""
    terms = {"ce": ce(config, network=name)}
    add_stage(config, name, stage(config, train=(name,), terms=terms))


def hard_and_soft(
    config: ConfigDict, *, student: str, teacher: str | tuple[str, ...], suffix: str = ""
) -> dict[str, ConfigDict]:
    """`(1 - alpha) ce + alpha soft`, the terms of soft targets, with `suffix` to their names."""
    hard = ce(config, network=student, weight=one_minus_alpha(config))
    target = soft(config, student=student, teacher=teacher, weight=alpha(config))
    return {f"ce{suffix}": hard, f"soft{suffix}": target}


def taught_student(config: ConfigDict, dataset: str, *, train: int) -> dict[str, ConfigDict]:
    """Adds the data set's `teacher` (as `add_teacher`) and `student`; the terms of soft targets."""
    add_teacher(config, dataset, train=train)
    config.networks.student = network(model=datasets.settings(dataset)["student"])
    return hard_and_soft(config, student="student", teacher="teacher")


def add_student(config: ConfigDict, terms: dict[str, ConfigDict], *, baseline: int) -> None:
    """Adds the stage that trains `student`, and its baseline if wanted."""
    add_stage(config, "student", stage(config, train=("student",), terms=terms))
    if baseline:
        add_baseline(config, pair="student")
