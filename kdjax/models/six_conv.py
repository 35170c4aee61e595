"""A student with six convolutions, 815,530 trainable parameters on CIFAR-10, and a teacher.

`teacher` is twice as wide, for machines without an accelerator: it needs four times the student's
arithmetic, and ResNet-18 fourteen times.
"""

from functools import partial

from flax import linen as nn

from kdjax.models.layers.modules import (
    ConvBeforeNorm,
    DenseBeforeNorm,
    batch_norm,
    classifier,
    uniform_init,
)
from kdjax.models.layers.pooling import max_pool
from kdjax.step.types import Array


class SixConv(nn.Module):
    """Three stages of two 3x3 convolutions (bias, BatchNorm, ReLU) and a 2x2 max pool.

    `width` is the first stage's number of channels, and doubles from stage to stage. The biases
    before BatchNorm only give the student its published parameter count; they stay 0.
    """

    classes: int
    width: int
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, dict[str, Array]]:
        features: dict[str, Array] = {}
        for stage, width in enumerate((self.width, 2 * self.width, 4 * self.width), start=1):
            for index, place in enumerate(("first", "last")):
                name = f"Conv_{2 * (stage - 1) + index}"
                x = ConvBeforeNorm(width, (3, 3), kernel_init=uniform_init, name=name)(x)
                features[f"stage{stage}_{place}_pre"] = x = batch_norm(train)(x)
                features[f"stage{stage}_{place}"] = x = nn.relu(x)
            x = max_pool(x)
        features["stem"] = features["stage1_first"]
        x = x.reshape(x.shape[0], -1)
        x = DenseBeforeNorm(8 * self.width, kernel_init=uniform_init, name="Dense_0")(x)
        features["pooled_pre"] = x = batch_norm(train)(x)
        features["pooled"] = x = nn.relu(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return classifier(x, self.classes, name="Dense_1"), features


student = partial(SixConv, width=32)
"""815,530 trainable parameters on 32x32x3 images and 10 classes, 816,938 with statistics."""
teacher = partial(SixConv, width=64)
"""Twice as wide: 3,251,018 trainable parameters on 32x32x3 images and 10 classes."""
