"""What each data set brings to every method: image size, normalisation, networks, recipe.

An entry with the key `tfds` is the data set that TFDS has under that name. A copy of it in
`--config.data.path` is read as `copy` says, a module of `kdjax/data/sources`; by default `folder`.
An entry without `tfds` is read by the module of its own name there.
"""

from typing import Any

from kdjax.system.discover import unknown

IMAGENET = dict(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
# What teacher and student of an entry have in common: maps for attention and feature regression,
# the student's guided layer and the teacher's hint, and the student's layers up to it.
CONV_DENSE = dict(
    attention_layers=("stem",),
    feature_layers=("stem",),
    guided="stem",
    hint="stem",
    up_to_guided=("Conv_0",),
)
COLOUR = dict(
    teacher="resnet.resnet18_cifar",
    student="six_conv.student",
    attention_layers=("stage2_last", "stage3_last"),
    feature_layers=("stage1_last", "stage2_last", "stage3_last"),
    guided="stage2_last",
    hint="stage2_last",
    up_to_guided=tuple(f"{kind}_{index}" for kind in ("Conv", "BatchNorm") for index in range(4)),
    crop=False,
    epochs=30,
    batch_size=128,
    learning_rate=1e-3,
)
# Seen from above, so that no side is up.
AERIAL = COLOUR | dict(size=64, augment=dict(pad=4, flip=True, flip_vertical=True), batch_size=64)
# Class folders of the user's own, in --config.data.path; the teacher is one that a CPU can train.
FOLDER = (
    COLOUR
    | IMAGENET
    | dict(size=32, crop=True, augment=dict(pad=4, flip=True), teacher="six_conv.teacher")
)
FACES = COLOUR | dict(size=64, crop=True, augment=dict(pad=4, pad_mode="reflect", flip=True))

DATASETS: dict[str, dict[str, Any]] = {
    # scikit-learn's 8x8 digits, resized to 16 so that no network ends in 1x1 maps.
    "digits": CONV_DENSE
    | dict(
        size=16,
        crop=False,
        mean=(0.305,),
        std=(0.34,),
        augment=dict(pad=1),
        teacher="mnist.teacher",
        student="mnist.student",
        epochs=30,
        batch_size=64,
        learning_rate=2e-3,
    ),
    "mnist": CONV_DENSE
    | dict(
        tfds="mnist",
        size=28,
        crop=False,
        mean=(0.1307,),
        std=(0.3081,),
        augment=dict(pad=2),
        teacher="mnist.teacher",
        student="mnist.student",
        epochs=9,
        batch_size=128,
        learning_rate=3e-3,
    ),
    "cifar10": COLOUR
    | dict(
        tfds="cifar10",
        size=32,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.247, 0.2435, 0.2616),
        augment=dict(pad=4, flip=True),
    ),
    # Means and deviations were measured at 64 pixels, where there are any; else ImageNet's.
    "uc_merced": AERIAL
    | dict(tfds="uc_merced", mean=(0.4847, 0.4906, 0.451), std=(0.197, 0.1796, 0.1758)),
    "eurosat": AERIAL | IMAGENET | dict(tfds="eurosat"),
    "resisc45": AERIAL | IMAGENET | dict(tfds="resisc45"),
    "aid": AERIAL | dict(tfds="aid", mean=(0.3982, 0.4097, 0.369), std=(0.1982, 0.1762, 0.1757)),
    "celeb_a": FACES
    | dict(
        tfds="celeb_a",
        copy="attributes",
        mean=(0.5094, 0.4237, 0.3777),
        std=(0.3006, 0.2794, 0.2778),
    ),
    "folder": FOLDER,
    # Images with a file of attributes, in --config.data.path.
    "attributes": FOLDER,
    # Images without labels, in --config.data.path; for terms that read none.
    "unlabelled": FOLDER,
}


def settings(name: str) -> dict[str, Any]:
    """The entry for one data set; `tfds/<name>` is any that TFDS has, with a folder's recipe.

    Raises:
        UserError: there is none of that name.
    """
    if name.startswith("tfds/"):
        return DATASETS["folder"]
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    return DATASETS[name]


def tfds_name(name: str) -> str | None:
    """The name under which TFDS has a data set; None for other data sets.

    Raises:
        UserError: there is no data set of that name.
    """
    return name.removeprefix("tfds/") if name.startswith("tfds/") else settings(name).get("tfds")
