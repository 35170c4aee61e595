"""Teacher and student for MNIST: one convolution, then dense layers."""

from functools import partial

from flax import linen as nn

from kdjax.models.layers.modules import Conv, classifier, uniform_init
from kdjax.models.layers.pooling import max_pool
from kdjax.step.types import Array


class ConvDense(nn.Module):
    """3x3 convolution without padding, 2x2 max pool, dense layers, with ReLU between."""

    classes: int
    hidden: tuple[int, ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> tuple[Array, dict[str, Array]]:
        features: dict[str, Array] = {}
        features["stem_pre"] = x = Conv(32, (3, 3), padding="VALID", kernel_init=uniform_init)(x)
        features["stem"] = x = nn.relu(x)
        x = max_pool(x)
        x = x.reshape(x.shape[0], -1)
        for index, width in enumerate(self.hidden, start=1):
            x = nn.Dense(width, kernel_init=uniform_init)(x)
            features[f"dense{index}_pre"] = x
            features[f"dense{index}"] = x = nn.relu(x)
        features["pooled"] = x
        x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return classifier(x, self.classes), features


teacher = partial(ConvDense, hidden=(256, 128, 32))
"""1,422,378 parameters on 28x28x1 images and 10 classes."""
student = partial(ConvDense, hidden=(128,))
"""693,962 parameters on 28x28x1 images and 10 classes."""
