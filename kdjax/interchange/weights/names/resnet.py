"""ResNets, in the names of torchvision (timm has the same) and of Hugging Face's transformers."""

import itertools
from collections.abc import Callable, Mapping
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

    def block(stage: int, index: int) -> str:
        return f"layer{stage + 1}.{index}"

    def layer(kind: str, number: int) -> str:
        return f"{'conv' if kind == 'Conv' else 'bn'}{number + 1}"

    return _name(network, path, _TORCHVISION, block, layer)


def transformers(network: Any, path: Path) -> str:
    """As `resnet.encoder.stages.2.layers.0.layer.0.convolution.weight`."""

    def block(stage: int, index: int) -> str:
        return f"resnet.encoder.stages.{stage}.layers.{index}"

    def layer(kind: str, number: int) -> str:
        return f"layer.{number}.{'convolution' if kind == 'Conv' else 'normalization'}"

    return _name(network, path, _TRANSFORMERS, block, layer)


def transformers_trunk(network: Any, path: Path) -> str:
    """The names of transformers' `ResNetModel`, which has no head."""
    return transformers(network, path).removeprefix("resnet.")


def _name(
    network: Any,
    path: Path,
    fixed: Mapping[str, str],
    block: Callable[[int, int], str],
    layer: Callable[[str, int], str],
) -> str:
    """The name of a tensor: of its block, if it lies in one, its layer, and its kind.

    Args:
        network: the Flax module.
        path: the variable's.
        fixed: the names of the layers outside blocks, and of shortcuts.
        block: the name of a block, from its stage and its number in the stage.
        layer: the name of a convolution or BatchNorm of a block, from its kind and number.
    """
    *blocks, own, leaf = path
    parts = [block(*_place(network, name)) for name in blocks]
    kind, _, number = own.partition("_")
    inner = blocks and kind in ("Conv", "BatchNorm")
    parts.append(layer(kind, int(number)) if inner else fixed[own])
    return ".".join([*parts, LEAVES[leaf]])


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
