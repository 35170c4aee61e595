"""MobileNetV2, and a small one for students.

Sandler et al., arXiv:1801.04381, table 2, in torchvision's form: padding 1 on every side, widths
rounded to multiples of 8, and at least 1,280 channels before the head. The stages 1 to 7 are the
rows of the table; their maps are 2, 4, 8, 16, 16, 32 and 32 times smaller than the image.

`mobilenet_v2` has 3,504,872 trainable parameters at 1000 classes (3,538,984 with statistics) and
2,223,872 without a head. `small` has half the width: 714,581 at 21 classes, 1,968,680 at 1000, and
687,680 without a head, so it stays below a million up to 243 classes. It takes
32 million multiply-adds for an image of 128 x 128 pixels (ResNet-18 takes 590 million) and 8
million for one of 64 x 64.
"""

from functools import partial

from flax import linen as nn

from kdjax.models.layers.inverted_residual import InvertedResiduals, Stage, multiple_of_8

_STAGES = (
    Stage(expand=1, width=16, blocks=1, stride=1),
    Stage(expand=6, width=24, blocks=2, stride=2),
    Stage(expand=6, width=32, blocks=3, stride=2),
    Stage(expand=6, width=64, blocks=4, stride=2),
    Stage(expand=6, width=96, blocks=3, stride=1),
    Stage(expand=6, width=160, blocks=3, stride=2),
    Stage(expand=6, width=320, blocks=1, stride=1),
)


def mobilenet_v2(classes: int, dropout: float = 0.0, *, width: float = 1.0) -> nn.Module:
    """MobileNetV2, whose channels are multiplied by `width` and rounded to multiples of 8."""
    return InvertedResiduals(
        classes,
        tuple(stage._replace(width=multiple_of_8(stage.width * width)) for stage in _STAGES),
        stem=multiple_of_8(32 * width),
        final=multiple_of_8(1280 * max(1.0, width)),
        dropout=dropout,
    )


small = partial(mobilenet_v2, width=0.5)
