"""EfficientNet-lite0.

Tan and Le, arXiv:1905.11946, table 1, in the form that TensorFlow's authors published as "lite":
ReLU6, no squeeze-and-excitation, and a first and last stage that are not scaled. The stages 1 to 7
are the rows 2 to 8 of the table; their maps are 2, 4, 8, 16, 16, 32 and 32 times smaller than the
image.

`lite0` has 4,652,008 trainable parameters at 1000 classes (4,694,024 with statistics) and 3,371,008
without a head. It pads as TensorFlow ('SAME') and has BatchNorm's epsilon 1e-3, which the published
weights need, also in timm (`tf_efficientnet_lite0`). `lite0_symmetric` is timm's
`efficientnet_lite0`, trained in PyTorch: the same names and shapes, but padding on every side and
epsilon 1e-5. With the other's weights each computes slightly wrong logits.
"""

from functools import partial

from kdjax.models.layers.inverted_residual import InvertedResiduals, Stage

lite0_symmetric = partial(
    InvertedResiduals,
    stages=(
        Stage(expand=1, width=16, blocks=1, stride=1, kernel=3),
        Stage(expand=6, width=24, blocks=2, stride=2, kernel=3),
        Stage(expand=6, width=40, blocks=2, stride=2, kernel=5),
        Stage(expand=6, width=80, blocks=3, stride=2, kernel=3),
        Stage(expand=6, width=112, blocks=3, stride=1, kernel=5),
        Stage(expand=6, width=192, blocks=4, stride=2, kernel=5),
        Stage(expand=6, width=320, blocks=1, stride=1, kernel=3),
    ),
    stem=32,
    final=1280,
)
lite0 = partial(lite0_symmetric, same=True, epsilon=1e-3)
