"""A trunk of inverted residual blocks, which MobileNetV2 and EfficientNet-lite share."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from kdjax.models.layers.modules import Conv, batch_norm, classifier
from kdjax.step.types import Array

_fan_out = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
# Every output of a depthwise convolution reads one channel; its fan out counts them all.
_fan_in = nn.initializers.variance_scaling(2.0, "fan_in", "normal")


class Stage(NamedTuple):
    """A row of the table of blocks."""

    expand: int
    """Channels inside a block, in multiples of its input's."""
    width: int
    """Output channels."""
    blocks: int
    stride: int
    """Of the first block; the others have 1."""
    kernel: int = 3


def multiple_of_8(width: float) -> int:
    """The nearest multiple of 8, at least 8 and at least 0.9 times `width`, as in torchvision."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded


class _ConvNorm(nn.Module):
    """A convolution and BatchNorm."""

    width: int
    size: int
    stride: int = 1
    depthwise: bool = False
    same: bool = False
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        pad = self.size // 2
        x = Conv(
            self.width,
            (self.size, self.size),
            (self.stride, self.stride),
            padding="SAME" if self.same else ((pad, pad), (pad, pad)),
            feature_group_count=self.width if self.depthwise else 1,
            use_bias=False,
            kernel_init=_fan_in if self.depthwise else _fan_out,
            name="conv",
        )(x)
        return batch_norm(train, name="norm", epsilon=self.epsilon)(x)


class InvertedResidual(nn.Module):
    """1x1 convolution to more channels, depthwise convolution, linear 1x1 convolution to fewer.

    The input is added where the shape stays. With `expand` 1 there is no first convolution.
    """

    expand: int
    width: int
    stride: int
    kernel: int
    same: bool
    epsilon: float

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        def conv_norm(y: Array, width: int, size: int, name: str, **options: Any) -> Array:
            layer = _ConvNorm(
                width, size, same=self.same, epsilon=self.epsilon, name=name, **options
            )
            return layer(y, train=train)

        hidden = x.shape[-1] * self.expand
        y = x
        if self.expand != 1:
            y = jax.nn.relu6(conv_norm(y, hidden, 1, "expand"))
        y = conv_norm(y, hidden, self.kernel, "depthwise", stride=self.stride, depthwise=True)
        y = conv_norm(jax.nn.relu6(y), self.width, 1, "project")
        return x + y if y.shape == x.shape else y


class InvertedResiduals(nn.Module):
    """A strided 3x3 convolution, stages of blocks, a 1x1 convolution, global average pool, head.

    Features: `stem`, `stageN_first` and `stageN_last` for every row of `stages` (outputs of blocks
    are linear, so they have no `_pre`), `final`, the map of the last convolution, and `pooled`.
    """

    classes: int
    stages: tuple[Stage, ...]
    stem: int
    """Channels of the first convolution."""
    final: int
    """Channels of the last convolution."""
    stem_stride: int = 2
    same: bool = False
    """Pads as TensorFlow's 'SAME', else half the kernel on every side as PyTorch's networks do."""
    epsilon: float = 1e-5
    """BatchNorm's."""
    dropout: float = 0.0
    remat: bool = False

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, dict[str, Array]]:
        def run(block: InvertedResidual, x: Array) -> Array:
            return block(x, train=train)

        def conv_norm(width: int, size: int, name: str, stride: int = 1) -> Array:
            layer = _ConvNorm(width, size, stride, same=self.same, epsilon=self.epsilon, name=name)
            return layer(x, train=train)

        run = nn.remat(run) if self.remat else run
        features: dict[str, Array] = {}
        features["stem_pre"] = x = conv_norm(self.stem, 3, "stem", self.stem_stride)
        features["stem"] = x = jax.nn.relu6(x)
        for number, stage in enumerate(self.stages, start=1):
            for index in range(stage.blocks):
                block = InvertedResidual(
                    stage.expand,
                    stage.width,
                    stage.stride if index == 0 else 1,
                    stage.kernel,
                    self.same,
                    self.epsilon,
                    name=f"stage{number}_block{index}",
                )
                x = run(block, x)
                if index == 0:
                    features[f"stage{number}_first"] = x
            features[f"stage{number}_last"] = x
        features["final_pre"] = x = conv_norm(self.final, 1, "final")
        features["final"] = x = jax.nn.relu6(x)
        features["pooled"] = x = jnp.mean(x, axis=(1, 2))
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return classifier(x, self.classes, name="head"), features
