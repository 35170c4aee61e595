"""The pieces that methods are wired from: networks, terms and stages."""

from typing import Any

from ml_collections import ConfigDict, FieldReference

from configs import datasets
from kdjax.system.config_file import Formula


def formula(value: float | str) -> FieldReference:
    """A key that holds a number or a formula's text."""
    return FieldReference(value, field_type=Formula)


def network(
    *,
    model: Any,
    dropout: Any = 0.0,
    pair: str = "",
    workdir: str = "",
    source: str = "",
    head: str = "",
    other_data: bool = False,
    remat: bool = False,
    quantise: str = "",
) -> ConfigDict:
    """A network.

    Args:
        model: `<file>.<function>` in `kdjax/models`.
        dropout: rate ahead of the last layer.
        pair: another network, whose initialisation and dropout masks this network repeats.
        workdir: the workdir of a finished run, from which the network is restored; stages then read
            it, or train it on from there.
        source: the network's name in that run, if it is another.
        head: the last layer. "none" is a network without it, which has features alone. For a
            network from another run with other classes, "new" is a fresh layer for this run's
            classes, and with "own" it keeps its classes, so that terms can read its features alone.
        other_data: whether a network from another run may have been trained on other images than
            this run's data set. Then nothing says whether it has seen this run's test images.
        remat: compute activations again for the gradient: less memory, more time.
        quantise: "int8" trains with weights and activations rounded to 8 bits, for an export with
            --int8; it needs qwix.
    """
    return ConfigDict(
        dict(
            model=model,
            dropout=dropout,
            pair=pair,
            workdir=workdir,
            source=source,
            head=head,
            other_data=other_data,
            # The number of classes in the network's own run; -1 is this run's.
            classes=-1,
            # The network's own preparation of images. A network from another run brings it along. A
            # size of 0 is `data.size`, and an empty mean and deviation are those of `data`.
            preprocessing=dict(size=0, mean=(), std=(), interpolation="bilinear"),
            remat=remat,
            quantise=quantise,
        )
    )


def term(kind: str, *, weight: float | str = 1.0, **values: Any) -> ConfigDict:
    """A term of `kdjax/terms/<kind>.py`.

    Args:
        kind: the file's name, or the module's full name where it is the user's own.
        weight: a number, or a formula such as `1 - alpha`.
        **values: the arguments of the term's `make`, and its hyper-parameters as numbers or
            formulas, such as `temperature="temperature"`.
    """
    # A number can become a formula, and a formula a number.
    formulas = {k: formula(v) for k, v in values.items() if isinstance(v, float | str)}
    return ConfigDict(dict(kind=kind, weight=formula(weight), **(values | formulas)))


def ce(config: ConfigDict, *, network: str, weight: float | str = 1.0) -> ConfigDict:
    """Hard labels for one network."""
    smoothing = config.get_oneway_ref("label_smoothing")
    return term("ce", network=network, label_smoothing=smoothing, weight=weight)


def kd(
    *, student: str, teacher: str | tuple[str, ...], weight: float | str = "alpha", **changes: Any
) -> ConfigDict:
    """Soft targets of one network, or several, for another."""
    values = dict(
        form="kl",
        average="logits",
        scale_by_t2=True,
        detach_teacher=True,
        # A control: every example gets another example's target.
        shuffle=False,
        temperature="temperature",
    )
    return term("kd", student=student, teacher=teacher, weight=weight, **(values | changes))


def stage(
    config: ConfigDict,
    *,
    train: tuple[str, ...],
    terms: dict[str, ConfigDict],
    init_from: dict[str, str] | None = None,
    only: dict[str, tuple[str, ...]] | None = None,
    trunk_rate: float | str = 1.0,
    running_statistics: tuple[str, ...] = (),
) -> ConfigDict:
    """A stage that trains some networks by a weighted sum of terms.

    Networks that its terms read and that it does not train come, frozen, from the latest earlier
    stage that trained them.

    Args:
        config: the config whose top-level keys the stage's keys follow.
        train: names of the networks that learn.
        terms: the terms by name.
        init_from: for a trained network, the network whose weights it starts from: itself, to go on
            where an earlier stage ended, or another. Others start afresh.
        only: for a trained network, the names of the layers that learn (`Conv_0`, ...); the others
            stay as they are, BatchNorm's statistics included. Networks not named learn whole. The
            name `head` stands for the layers that depend on the number of classes.
        trunk_rate: a factor of the learning rate of all layers but the head, for fine-tuning.
        running_statistics: trained networks that use BatchNorm's running statistics and leave them
            as they are, without dropout. For fine-tuning, where batches say little.
    """
    inherited = (
        "epochs",
        "batch_size",
        "patience",
        "select",
        "optimiser",
        "learning_rate",
        "learning_rate_schedule",
        "weight_decay",
        "decay_all",
        "clip_norm",
    )
    return ConfigDict(
        dict(
            train=train,
            init_from=init_from or {},
            only=only or {},
            trunk_rate=formula(trunk_rate),
            running_statistics=running_statistics,
            terms=terms,
            **{key: config.get_oneway_ref(key) for key in inherited},
        )
    )


def add_stage(config: ConfigDict, name: str, new: ConfigDict) -> None:
    """Adds a stage after the config's other stages."""
    config.stages[name] = new
    config.stage_order = (*config.stage_order, name)


def add_baseline(config: ConfigDict, *, pair: str) -> None:
    """Adds a stage that trains `pair`'s network on hard labels alone, as `baseline`.

    Initialisation, dropout, data order, augmentation and recipe (the top-level keys) are those of
    `pair`: only the method differs.
    """
    partner = config.networks[pair]
    config.networks.baseline = network(
        model=partner.get_oneway_ref("model"),
        dropout=partner.get_oneway_ref("dropout"),
        pair=pair,
    )
    add_hard_stage(config, "baseline")


def add_hard_stage(config: ConfigDict, name: str) -> None:
    """Adds a stage that trains one network on hard labels, by the network's name."""
    terms = {"ce": ce(config, network=name)}
    add_stage(config, name, stage(config, train=(name,), terms=terms))


def add_teacher(config: ConfigDict, *, train: int) -> None:
    """Adds the data set's `teacher`, and the stage that trains it on hard labels.

    Args:
        config: gets the network and the stage.
        train: 0 leaves the stage out, for a teacher from another run
            (`--config.networks.teacher.workdir=DIR`).
    """
    config.networks.teacher = network(model=datasets.settings(config.data.name)["teacher"])
    if train:
        add_hard_stage(config, "teacher")


def hard_and_soft(
    config: ConfigDict, *, student: str, teacher: str | tuple[str, ...], suffix: str = ""
) -> dict[str, ConfigDict]:
    """`(1 - alpha) ce + alpha soft`, the terms of soft targets, with `suffix` to their names."""
    return {
        f"ce{suffix}": ce(config, network=student, weight="1 - alpha"),
        f"soft{suffix}": kd(student=student, teacher=teacher, weight="alpha"),
    }


def taught_student(config: ConfigDict, *, train: int) -> dict[str, ConfigDict]:
    """Adds the data set's `teacher` (as `add_teacher`) and `student`; the terms of soft targets."""
    add_teacher(config, train=train)
    config.networks.student = network(model=datasets.settings(config.data.name)["student"])
    return hard_and_soft(config, student="student", teacher="teacher")


def add_student(config: ConfigDict, terms: dict[str, ConfigDict], *, baseline: int) -> None:
    """Adds the stage that trains `student`, and its baseline if wanted."""
    add_stage(config, "student", stage(config, train=("student",), terms=terms))
    if baseline:
        add_baseline(config, pair="student")
