"""The preparation of images that published weights were trained with, by family of models."""

from kdjax.config.build_data import IMAGENET
from kdjax.step.types import Preprocessing

FAMILIES = {
    # torchvision's, timm's and Hugging Face's weights alike.
    "resnet": Preprocessing(224, *IMAGENET, "bilinear"),
    "mobilenet": Preprocessing(224, *IMAGENET, "bilinear"),
    # TensorFlow's: (pixel - 127) / 128, of pixels from 0 to 255.
    "efficientnet": Preprocessing(224, (127 / 255,) * 3, (128 / 255,) * 3, "bicubic"),
    # timm's `augreg` weights.
    "vit": Preprocessing(224, (0.5,) * 3, (0.5,) * 3, "bicubic"),
}
"""By the file of the model in `kdjax/models`."""


def default(model: str) -> Preprocessing | None:
    """The preprocessing of a model's published weights; None for a model without any.

    Sources: the `transforms` of torchvision's weights, timm's `default_cfg`, and TensorFlow's
    `efficientnet/lite`.
    """
    return FAMILIES.get(model.rpartition(".")[0])
