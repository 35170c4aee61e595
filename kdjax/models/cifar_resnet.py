"""The thin ResNets for 32x32 images: 8, 14, 20, 32, 44, 56 and 110 layers.

He et al., arXiv:1512.03385, section 4.2: three stages of 16, 32 and 64 channels, depth 6n + 2.
A shortcut that changes the shape is a strided 1x1 convolution with BatchNorm, as in the public
distillation tables that use these networks (the paper's own shortcuts have no parameters).

At 100 classes, `resnet20` has 278,324 trainable parameters, `resnet56` 861,620 and `resnet110`
1,736,564.
"""

from functools import partial

from kdjax.models.resnet import ResNet

_thin = partial(ResNet, small_images=True, width=16)
resnet8 = partial(_thin, blocks=(1, 1, 1))
resnet14 = partial(_thin, blocks=(2, 2, 2))
resnet20 = partial(_thin, blocks=(3, 3, 3))
resnet32 = partial(_thin, blocks=(5, 5, 5))
resnet44 = partial(_thin, blocks=(7, 7, 7))
resnet56 = partial(_thin, blocks=(9, 9, 9))
resnet110 = partial(_thin, blocks=(18, 18, 18))
