"""The thin ResNets for 32x32 images: 8, 14, 20, 32, 44, 56 and 110 layers.

He et al., arXiv:1512.03385, section 4.2: three stages of 16, 32 and 64 channels, depth 6n + 2.
A shortcut that changes the shape is a strided 1x1 convolution with BatchNorm, as in the public
distillation tables that use these networks (the paper's own shortcuts have no parameters).
"""

from flax import linen as nn

from kdjax.models.resnet import ResNet


def _thin(classes: int, blocks: int, dropout: float) -> nn.Module:
    return ResNet(classes, (blocks,) * 3, small_images=True, dropout=dropout, width=16)


def resnet8(*, classes: int, dropout: float = 0.0) -> nn.Module:
    """8 layers."""
    return _thin(classes, 1, dropout)


def resnet14(*, classes: int, dropout: float = 0.0) -> nn.Module:
    """14 layers."""
    return _thin(classes, 2, dropout)


def resnet20(*, classes: int, dropout: float = 0.0) -> nn.Module:
    """20 layers: 278,324 trainable parameters at 100 classes."""
    return _thin(classes, 3, dropout)


def resnet32(*, classes: int, dropout: float = 0.0) -> nn.Module:
    """32 layers."""
    return _thin(classes, 5, dropout)


def resnet44(*, classes: int, dropout: float = 0.0) -> nn.Module:
    """44 layers."""
    return _thin(classes, 7, dropout)


def resnet56(*, classes: int, dropout: float = 0.0) -> nn.Module:
    """56 layers: 861,620 trainable parameters at 100 classes."""
    return _thin(classes, 9, dropout)


def resnet110(*, classes: int, dropout: float = 0.0) -> nn.Module:
    """110 layers: 1,736,564 trainable parameters at 100 classes."""
    return _thin(classes, 18, dropout)
