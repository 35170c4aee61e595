"""The networks of the benchmarks in plain PyTorch, layer for layer those of `kdjax.models`."""

import itertools

import torch
from torch import nn


class Block(nn.Module):
    """A basic or bottleneck residual block."""

    def __init__(self, into: int, width: int, stride: int, bottleneck: bool):
        super().__init__()
        out = width * (4 if bottleneck else 1)

        def conv(a: int, b: int, size: int, step: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(a, b, size, step, size // 2, bias=False), nn.BatchNorm2d(b)]

        relu = nn.ReLU(inplace=True)
        if bottleneck:
            layers = [*conv(into, width, 1), relu, *conv(width, width, 3, stride), relu]
            layers += conv(width, out, 1)
        else:
            layers = [*conv(into, width, 3, stride), relu, *conv(width, out, 3)]
        self.layers = nn.Sequential(*layers)
        same = stride == 1 and into == out
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv(into, out, 1, stride))
        self.relu = relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.relu(self.layers(x) + self.shortcut(x))


def resnet(blocks: tuple[int, ...], bottleneck: bool, classes: int = 10) -> nn.Module:
    """With the stem for small images."""
    layers: list[nn.Module] = [
        nn.Conv2d(3, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
    ]
    into = 64
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        for index in range(count):
            stride = 2 if stage and index == 0 else 1
            layers.append(Block(into, width, stride, bottleneck))
            into = width * (4 if bottleneck else 1)
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(into, classes)]
    return nn.Sequential(*layers)


def six_conv(classes: int = 10) -> nn.Module:
    """The student of study C on 32 x 32 images."""
    layers: list[nn.Module] = []
    widths = [3, 32, 32, 64, 64, 128, 128]
    for index, (into, out) in enumerate(itertools.pairwise(widths)):
        layers += [
            nn.Conv2d(into, out, 3, padding=1),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        ]
        if index % 2:
            layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(2048, 256), nn.BatchNorm1d(256), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(256, classes))


def conv_dense(hidden: tuple[int, ...], classes: int = 10) -> nn.Module:
    """The networks of study C on 28 x 28 grey images."""
    layers: list[nn.Module] = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    widths = [13 * 13 * 32, *hidden]
    for into, out in itertools.pairwise(widths):
        layers += [nn.Linear(into, out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


MODELS = {
    "resnet.resnet18_cifar": lambda: resnet((2, 2, 2, 2), False),
    "resnet.resnet50_cifar": lambda: resnet((3, 4, 6, 3), True),
    "six_conv.student": six_conv,
    "mnist.student": lambda: conv_dense((128,)),
    "mnist.teacher": lambda: conv_dense((256, 128, 32)),
}
"""By the names that configs have."""
