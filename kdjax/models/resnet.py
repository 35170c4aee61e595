"""ResNet-18, 34 and 50 with the ImageNet stem or the stem for small images.

He et al., Deep Residual Learning, arXiv:1512.03385, table 1. The stride of a bottleneck is in its
3x3 convolution, which is common practice since. The `cifar` stem is one 3x3 convolution without
downsampling.

`resnet10_slim` is a student for images of 64 to 128 pixels that a CPU trains quickly: one block a
stage and 24 channels in the first, 697,485 trainable parameters at 21 classes and 23 million
multiply-adds for an image of 96 x 96 pixels.

`resnet18_cifar` has 11,173,962 trainable parameters at 10 classes (11,183,562 with statistics) and
`resnet18_imagenet` 11,181,642. At 1000 classes, `resnet34_imagenet` has 21,797,672 and
`resnet50_imagenet` 25,557,032.
"""

from functools import partial

import jax.numpy as jnp
from flax import linen as nn

from kdjax.models.layers.modules import Conv, batch_norm, classifier
from kdjax.models.layers.pooling import window_max
from kdjax.step.types import Array

_fan_out = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def _conv(width: int, size: int, stride: int = 1, name: str | None = None) -> nn.Conv:
    pad = size // 2
    return Conv(
        width,
        (size, size),
        (stride, stride),
        padding=((pad, pad), (pad, pad)),
        use_bias=False,
        kernel_init=_fan_out,
        name=name,
    )


class Block(nn.Module):
    """A basic or bottleneck block; returns its output before and after the last ReLU."""

    width: int
    stride: int
    bottleneck: bool

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, Array]:
        out_width = self.width * (4 if self.bottleneck else 1)
        if self.bottleneck:
            y = nn.relu(batch_norm(train)(_conv(self.width, 1)(x)))
            y = nn.relu(batch_norm(train)(_conv(self.width, 3, self.stride)(y)))
            y = batch_norm(train)(_conv(out_width, 1)(y))
        else:
            y = nn.relu(batch_norm(train)(_conv(self.width, 3, self.stride)(x)))
            y = batch_norm(train)(_conv(out_width, 3)(y))
        if self.stride != 1 or x.shape[-1] != out_width:
            x = _conv(out_width, 1, self.stride, name="shortcut")(x)
            x = batch_norm(train, name="shortcut_norm")(x)
        return x + y, nn.relu(x + y)


class ResNet(nn.Module):
    """Stages of residual blocks of doubling width, global average pool, one dense layer."""

    classes: int
    blocks: tuple[int, ...]
    small_images: bool
    bottleneck: bool = False
    dropout: float = 0.0
    width: int = 64
    remat: bool = False

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, dict[str, Array]]:
        def run(block: Block, x: Array) -> tuple[Array, Array]:
            return block(x, train=train)

        run = nn.remat(run) if self.remat else run
        features: dict[str, Array] = {}
        x = _conv(self.width, 3)(x) if self.small_images else _conv(self.width, 7, 2)(x)
        features["stem_pre"] = x = batch_norm(train)(x)
        features["stem"] = x = nn.relu(x)
        if not self.small_images:
            x = window_max(x, size=3, stride=2, padding=1)
        for stage, blocks in enumerate(self.blocks, start=1):
            for index in range(blocks):
                stride = 2 if stage > 1 and index == 0 else 1
                block = Block(self.width * 2 ** (stage - 1), stride, self.bottleneck)
                before, x = run(block, x)
                if index == 0:
                    features[f"stage{stage}_first_pre"] = before
                    features[f"stage{stage}_first"] = x
            features[f"stage{stage}_last_pre"] = before
            features[f"stage{stage}_last"] = x
        features["pooled"] = x = jnp.mean(x, axis=(1, 2))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return classifier(x, self.classes), features


_small = partial(ResNet, small_images=True)
_large = partial(ResNet, small_images=False)
resnet18_cifar = partial(_small, blocks=(2, 2, 2, 2))
resnet34_cifar = partial(_small, blocks=(3, 4, 6, 3))
resnet50_cifar = partial(_small, blocks=(3, 4, 6, 3), bottleneck=True)
resnet10_slim = partial(_large, blocks=(1, 1, 1, 1), width=24)
resnet18_imagenet = partial(_large, blocks=(2, 2, 2, 2))
resnet34_imagenet = partial(_large, blocks=(3, 4, 6, 3))
resnet50_imagenet = partial(_large, blocks=(3, 4, 6, 3), bottleneck=True)
