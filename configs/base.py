"""Every key that a config has, with its default. Networks, terms and stages: configs/parts.py.

Keys at the top level (`epochs`, `batch_size`, `learning_rate`, `alpha`, `temperature`, ...) reach
every stage and term that was built from them; a key of one stage, as
`--config.stages.teacher.epochs=20`, changes that stage alone. A number that formulas use may itself
be a formula: `--config.temperature="cosine(4, 1, finish=5)"`.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import datasets, recipes
from configs.parts import formula
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError


def start(method: str, argument: str, **defaults: bool | int) -> tuple[ConfigDict, dict[str, int]]:
    """A config with the keys that every config has, and the options of the method.

    Args:
        method: the config's name.
        argument: the text after the colon: a data set (by default `digits`), then options, as
            `mnist,peers=4,recipe=cifar_sgd240`.
        **defaults: the method's options with their defaults: whole numbers, or switches (0 or 1).

    Raises:
        UserError: an unknown option, one that comes twice, or a value that is no whole number.
    """
    dataset, *items = (argument or "digits").split(",")
    options, named = dict(defaults), set[str]()
    recipe: str | None = None
    for item in items:
        name, _, value = item.partition("=")
        if name not in (*defaults, "recipe"):
            raise unknown("option after the data set", name, [*defaults, "recipe"])
        if name in named:
            raise UserError(f"option {name} is given twice: {argument}")
        named.add(name)
        if name == "recipe":
            recipe = value
            continue
        if not value.isdecimal():
            raise UserError(f"option {name} is {value!r}; it takes a whole number")
        if isinstance(defaults[name], bool) and int(value) > 1:
            raise UserError(f"option {name} is {value}; it takes 0 or 1")
        options[name] = int(value)
    return get_config(method=method, dataset=dataset, recipe=recipe), options


def get_config(*, method: str, dataset: str, recipe: str | None = None) -> ConfigDict:
    """The keys that every config has. Networks, terms and stages are the method's to add."""
    data = datasets.settings(dataset)
    config = ConfigDict(
        dict(
            method=method,
            # Keys initialisation and dropout.
            seed=0,
            # The weight of the distillation side: alpha * soft + (1 - alpha) * hard.
            alpha=formula(0.5),
            temperature=formula(4.0),
            label_smoothing=0.0,
            epochs=data["epochs"],
            batch_size=data["batch_size"],
            # An optimiser of optax, with its settings: sgd(momentum=0.9, nesterov=True).
            optimiser="adamw",
            learning_rate=formula(data["learning_rate"]),
            # A formula (kdjax/config/formulas.py) of `learning_rate` and `epochs`.
            learning_rate_schedule="cosine(learning_rate, 0)",
            weight_decay=0.01,
            # Decay biases and BatchNorm too, not only kernels.
            decay_all=False,
            # The largest gradient norm of one network; 0 does not clip.
            clip_norm=0.0,
            # The number of epochs without a better validation accuracy after which a stage ends;
            # 0 never ends it early.
            patience=0,
            # The step whose networks teach, and whose test accuracy heads the result: the best
            # on validation ("best") or the last one ("last").
            select="best",
            # "jit" over a mesh of all local devices, or "pmap" (BatchNorm by device).
            parallel="jit",
            eval_batch_size=1000,
            # The type in which networks compute, "float32" or "bfloat16"; parameters, losses and
            # statistics are float32 either way.
            precision="float32",
            # Compute the frozen networks' outputs on every training image once and keep them on
            # disk, in half precision, in place of running these networks in every step.
            teacher_cache=False,
            # The number of updates that one call runs as a loop on the device. More than 1 needs
            # images on the devices, and all members of a sweep in one call.
            steps_per_call=1,
            # The number of updates between two lines of the log.
            log_every=50,
            # Validation and checkpoints come after this number of epochs, and after a stage's last.
            validate_every_epochs=1,
            checkpoint_every_epochs=1,
            tensorboard=True,
            data=dict(
                name=dataset,
                # Keys split, order and augmentation.
                seed=0,
                # The folder of prepared data sets; empty: TFDS's own default.
                data_dir="",
                # A folder or archive of the user's own, read in place of a prepared data set.
                path="",
                # The share of the training examples that is used, after validation is held out.
                fraction=1.0,
                # The share of the training examples that is held out for validation.
                validation=0.1,
                # Train on training and validation examples, once choices are made.
                refit=False,
                # Height and width that images are decoded to; `crop` cuts the square centre out
                # first, else images that are not square are squeezed.
                size=data["size"],
                crop=data["crop"],
                # "dataset" subtracts each channel's mean and divides by its standard deviation,
                # "imagenet" does so with ImageNet's, "unit" leaves [0, 1].
                normalisation="dataset",
                mean=data["mean"],
                std=data["std"],
                # "resident" keeps all images on the devices, "streaming" reads batches from disk in
                # `workers` processes, "auto" chooses by size; the batches are the same.
                input="auto",
                workers=1,
                # The number of augmented views per image, used in rotation, one per epoch. 0 draws
                # a new view in every epoch.
                views=0,
                augment=augment(**data["augment"]),
            ),
            networks={},
            # The names of the stages, in the order in which they run.
            stage_order=(),
            stages={},
        )
    )
    config.update(recipes.settings(recipe))
    return config


def augment(**changes: Any) -> dict[str, Any]:
    """How training images are varied, in this order; every image anew in every epoch.

    Args:
        **changes: values in place of the defaults, which vary nothing.
    """
    values = dict(
        # The area (as a share of the image) and the aspect ratio of a random box, which is resized
        # to the image's size: smallest and largest.
        crop_scale=(1.0, 1.0),
        crop_ratio=(1.0, 1.0),
        # The largest random shift in pixels; the border is "zeros" or "reflect".
        pad=0,
        pad_mode="zeros",
        flip=False,
        flip_vertical=False,
        # x stands for a random factor in [1 - x, 1 + x]; for hue, a random turn in [-x, x].
        brightness=0.0,
        contrast=0.0,
        saturation=0.0,
        hue=0.0,
        # The side of the blanked square in pixels.
        cutout=0,
        # a stands for Beta(a, a), the distribution of the share of two images; 0 is off. With both
        # on, each image draws one of them.
        mixup=0.0,
        cutmix=0.0,
    )
    return values | changes
