"""What each data set brings to every method: image size, normalisation, networks, recipe."""

from typing import Any

from kdjax.discover import unknown

DATASETS: dict[str, dict[str, Any]] = {
    # scikit-learn's 8x8 digits, resized to 16 so that no network ends in 1x1 maps.
    "digits": dict(
        size=16,
        mean=(0.305,),
        std=(0.34,),
        pad=1,
        flip=False,
        teacher="mnist.teacher",
        student="mnist.student",
        epochs=30,
        batch_size=64,
        learning_rate=2e-3,
    ),
    "mnist": dict(
        size=28,
        mean=(0.1307,),
        std=(0.3081,),
        pad=2,
        flip=False,
        teacher="mnist.teacher",
        student="mnist.student",
        epochs=9,
        batch_size=128,
        learning_rate=3e-3,
    ),
    "cifar10": dict(
        size=32,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.247, 0.2435, 0.2616),
        pad=4,
        flip=True,
        teacher="resnet.resnet18_cifar",
        student="six_conv.student",
        epochs=30,
        batch_size=128,
        learning_rate=1e-3,
    ),
    # Class folders of the user's own, in --config.data.path; ImageNet's normalisation.
    "folder": dict(
        size=32,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        pad=4,
        flip=True,
        teacher="resnet.resnet18_cifar",
        student="six_conv.student",
        epochs=30,
        batch_size=128,
        learning_rate=1e-3,
    ),
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
