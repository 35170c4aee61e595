"""The preparation of images that published weights were trained with, by family of models."""

from kdjax.config.build_data import IMAGENET
from kdjax.step.types import Preprocessing

PUBLISHED = {
    # torchvision's, timm's and Hugging Face's weights alike.
    "resnet": Preprocessing(224, *IMAGENET, "bilinear"),
    "mobilenet": Preprocessing(224, *IMAGENET, "bilinear"),
    # timm's own weights, and TensorFlow's: (pixel - 127) / 128, of pixels from 0 to 255.
    "efficientnet.lite0_symmetric": Preprocessing(224, *IMAGENET, "bicubic"),
    "efficientnet.lite0": Preprocessing(224, (127 / 255,) * 3, (128 / 255,) * 3, "bicubic"),
    # timm's `augreg` weights.
    "vit": Preprocessing(224, (0.5,) * 3, (0.5,) * 3, "bicubic"),
}
"""By the model's name, or by its file in `kdjax/models`."""


def default(model: str) -> Preprocessing | None:
    """The preprocessing of a model's published weights; None for a model without any.

    Sources: the `transforms` of torchvision's weights, timm's `default_cfg`, and TensorFlow's
    `efficientnet/lite`.
    """
    return PUBLISHED.get(model, PUBLISHED.get(model.rpartition(".")[0]))
