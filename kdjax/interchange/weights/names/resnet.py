"""ResNets, in the names of torchvision (timm has the same) and of Hugging Face's transformers."""

import itertools
from typing import Any

from kdjax.interchange.weights.names import LEAVES, Dialect, Path

HEAD = "Dense_0"

_TORCHVISION = {
    "Conv_0": "conv1",
    "BatchNorm_0": "bn1",
    "shortcut": "downsample.0",
    "shortcut_norm": "downsample.1",
    HEAD: "fc",
}
_TRANSFORMERS = {
    "Conv_0": "resnet.embedder.embedder.convolution",
    "BatchNorm_0": "resnet.embedder.embedder.normalization",
    "shortcut": "shortcut.convolution",
    "shortcut_norm": "shortcut.normalization",
    HEAD: "classifier.1",
}


def torchvision(network: Any, path: Path) -> str:
    """As `layer3.0.conv1.weight`."""
    *blocks, layer, leaf = path
    parts = []
    for block in blocks:
        stage, index = _place(network, block)
        parts += [f"layer{stage + 1}.{index}"]
    kind, _, number = layer.partition("_")
    if blocks and kind in ("Conv", "BatchNorm"):
        parts += [f"{'conv' if kind == 'Conv' else 'bn'}{int(number) + 1}"]
    else:
        parts += [_TORCHVISION[layer]]
    return ".".join([*parts, LEAVES[leaf]])


def transformers(network: Any, path: Path) -> str:
    """As `resnet.encoder.stages.2.layers.0.layer.0.convolution.weight`."""
    *blocks, layer, leaf = path
    parts = []
    for block in blocks:
        stage, index = _place(network, block)
        parts += [f"resnet.encoder.stages.{stage}.layers.{index}"]
    kind, _, number = layer.partition("_")
    if blocks and kind in ("Conv", "BatchNorm"):
        parts += [f"layer.{number}.{'convolution' if kind == 'Conv' else 'normalization'}"]
    else:
        parts += [_TRANSFORMERS[layer]]
    return ".".join([*parts, LEAVES[leaf]])


def transformers_trunk(network: Any, path: Path) -> str:
    """The names of transformers' `ResNetModel`, which has no head."""
    return transformers(network, path).removeprefix("resnet.")


def _place(network: Any, block: str) -> tuple[int, int]:
    """The stage of a block and its number in the stage, both from 0."""
    number = int(block.removeprefix("Block_"))
    starts = [0, *itertools.accumulate(network.blocks)]
    stage = max(stage for stage, start in enumerate(starts[:-1]) if start <= number)
    return stage, number - starts[stage]


DIALECTS: dict[str, Dialect] = {
    "torchvision and timm": torchvision,
    "transformers": transformers,
    "transformers, without a head": transformers_trunk,
}
