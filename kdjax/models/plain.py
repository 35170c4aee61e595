"""Plain convolutional networks of 2, 4, 6, 8 and 10 layers, for teacher-assistant chains.

The sizes are from Mirzadeh et al., arXiv:1902.03393; the widths are chosen here. A stage has 3x3
convolutions, each with BatchNorm and ReLU, and ends with a 2x2 max pool. A dense layer reads the
flattened last map.
"""

from functools import partial

from flax import linen as nn

from kdjax.models.layers.modules import Conv, batch_norm, classifier, uniform_init
from kdjax.models.layers.pooling import max_pool
from kdjax.step.types import Array


class Plain(nn.Module):
    """`stages` holds, for each stage, the widths of its convolutions."""

    classes: int
    stages: tuple[tuple[int, ...], ...]
    hidden: int = 0
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, dict[str, Array]]:
        features: dict[str, Array] = {}
        for stage, widths in enumerate(self.stages, start=1):
            for index, width in enumerate(widths):
                x = Conv(width, (3, 3), use_bias=False, kernel_init=uniform_init)(x)
                before = x = batch_norm(train)(x)
                x = nn.relu(x)
                if index == 0:
                    features[f"stage{stage}_first_pre"] = before
                    features[f"stage{stage}_first"] = x
            features[f"stage{stage}_last_pre"] = before
            features[f"stage{stage}_last"] = x
            x = max_pool(x)
        features["stem"] = features["stage1_first"]
        x = x.reshape(x.shape[0], -1)
        if self.hidden:
            x = nn.relu(nn.Dense(self.hidden, kernel_init=uniform_init)(x))
        features["pooled"] = x
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return classifier(x, self.classes), features


plain2 = partial(Plain, stages=((16,), (16,)))
plain4 = partial(Plain, stages=((16, 16), (32, 32)))
plain6 = partial(Plain, stages=((16, 16), (32, 32), (64, 64)))
plain8 = partial(Plain, stages=((16, 16), (32, 32), (64, 64), (128, 128)), hidden=64)
plain10 = partial(Plain, stages=((32, 32), (64, 64), (128, 128), (256,) * 4), hidden=128)
