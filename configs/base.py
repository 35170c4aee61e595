"""Every key that a config has, with its default. Networks, terms and stages: configs/parts.py.

Keys at the top level (`epochs`, `batch_size`, `learning_rate`, `alpha`, `temperature`, ...) reach
every stage and term that was built from them; a key of one stage, as
`--config.stages.teacher.epochs=20`, moves that stage alone.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import datasets
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError


def arguments(text: str, **defaults: bool | int) -> tuple[str, dict[str, int]]:
    """What follows the colon: a data set, then options, as `mnist,peers=4`.

    Args:
        text: what follows the colon; empty for `digits`.
        **defaults: the options that this config has: whole numbers, or switches (0 or 1).

    Raises:
        UserError: an option that it does not have, that comes twice, or whose value is no whole
            number.
    """
    dataset, *given = (text or "digits").split(",")
    options, named = dict(defaults), set[str]()
    for item in given:
        name, _, value = item.partition("=")
        if name not in defaults:
            raise unknown("option after the data set", name, defaults)
        if not value.isdecimal():
            raise UserError(f"option {name} is {value!r}; it takes a whole number")
        if isinstance(defaults[name], bool) and int(value) > 1:
            raise UserError(f"option {name} is {value}; it takes 0 or 1")
        if name in named:
            raise UserError(f"option {name} is given twice: {text}")
        named.add(name)
        options[name] = int(value)
    return dataset, options


def get_config(*, method: str, dataset: str) -> ConfigDict:
    """The keys that every config has. Networks, terms and stages are the method's to add."""
    data = datasets.settings(dataset)
    return ConfigDict(
        dict(
            method=method,
            # Initialisation and dropout.
            seed=0,
            # Share of the distillation side: alpha * soft + (1 - alpha) * hard.
            alpha=0.5,
            temperature=4.0,
            label_smoothing=0.0,
            epochs=data["epochs"],
            batch_size=data["batch_size"],
            learning_rate=data["learning_rate"],
            weight_decay=0.01,
            # Epochs without a better validation accuracy before a stage ends; 0: never.
            patience=0,
            # The step whose networks teach, and whose test accuracy heads the result: the best
            # on validation ("best") or the last one ("last").
            select="best",
            # "jit" over a mesh of all local devices, or "pmap" (BatchNorm by device).
            parallel="jit",
            eval_batch_size=1000,
            # What networks compute in, "float32" or "bfloat16"; parameters, losses and statistics
            # are float32 either way.
            precision="float32",
            # Compute what frozen networks answer to every training image once and keep it on disk,
            # in half precision, in place of running them in every step.
            teacher_cache=False,
            # The number of updates that one call runs as a loop on the device. More than 1 needs
            # images on the devices, and all members of a sweep in one call.
            steps_per_call=1,
            # In optimiser updates.
            log_every=50,
            # After every so many epochs, and after a stage's last.
            validate_every_epochs=1,
            checkpoint_every_epochs=1,
            tensorboard=True,
            data=dict(
                name=dataset,
                # Split, order and augmentation.
                seed=0,
                # Where prepared data sets are; empty: TFDS's own default.
                data_dir="",
                # A folder or archive of the user's own, read in place of what TFDS has prepared.
                path="",
                # Share of the training examples used, after validation is held out.
                fraction=1.0,
                validation=0.1,
                # Train on training and validation examples, once choices are made.
                refit=False,
                # Height and width that images are decoded to; `crop` cuts the square centre out
                # first, else images that are not square are squeezed.
                size=data["size"],
                crop=data["crop"],
                # "dataset" takes each channel's mean off and divides by its std, "imagenet" does so
                # with ImageNet's, "unit" leaves [0, 1].
                normalisation="dataset",
                mean=data["mean"],
                std=data["std"],
                # "resident" keeps all images on the devices, "streaming" reads batches from disk in
                # `workers` processes, "auto" chooses by size; the batches are the same.
                input="auto",
                workers=1,
                # So many views of every image take turns, one in each epoch; 0: every epoch has a
                # view of its own.
                views=0,
                augment=augment(**data["augment"]),
            ),
            networks={},
            # The stages in the order in which they run.
            stage_order=(),
            stages={},
        )
    )


def augment(**changes: Any) -> dict[str, Any]:
    """How training images are varied, in this order; every image anew in every epoch.

    Args:
        **changes: to what is here, which varies nothing.
    """
    values = dict(
        # Shares of the area, and aspect ratios, of a random box that is resized to the whole.
        crop_scale=(1.0, 1.0),
        crop_ratio=(1.0, 1.0),
        # Largest random shift in pixels; the border is "zeros" or "reflect".
        pad=0,
        pad_mode="zeros",
        flip=False,
        flip_vertical=False,
        # Factors in [1 - x, 1 + x]; hue in [-x, x] turns.
        brightness=0.0,
        contrast=0.0,
        saturation=0.0,
        hue=0.0,
        # Side of the square that is blanked, in pixels.
        cutout=0,
        # Beta(a, a) of the share of two images; 0: off. With both on, each image draws one.
        mixup=0.0,
        cutmix=0.0,
    )
    return values | changes
