"""MobileNetV2, in the names of torchvision and timm, and of the original PyTorch code."""

import re
from typing import Any

from kdjax.interchange.weights.names import LEAVES, Dialect, Path

HEAD = "head"


def torchvision(network: Any, path: Path) -> str:
    """As `features.2.conv.0.0.weight`."""
    return _features(network, path, nested=True)


def flat(network: Any, path: Path) -> str:
    """As `features.2.conv.0.weight`: the layers of a block are one sequence."""
    return _features(network, path, nested=False)


def _features(network: Any, path: Path, *, nested: bool) -> str:
    layer, *inside, leaf = path
    if layer == HEAD:
        return f"classifier.1.{LEAVES[leaf]}"
    # Position in a sequence of a convolution and BatchNorm.
    norm = int(inside[-1] == "norm")
    if layer == "stem":
        return f"features.0.{norm}.{LEAVES[leaf]}"
    if layer == "final":
        blocks = sum(stage.blocks for stage in network.stages)
        return f"features.{blocks + 1}.{norm}.{LEAVES[leaf]}"
    stage, _ = place(layer)
    parts = ("expand", "depthwise", "project")
    part = parts[network.stages[stage].expand == 1 :].index(inside[0])
    if not nested:
        # A convolution, BatchNorm and ReLU6.
        name = f"{3 * part + norm}"
    elif inside[0] == "project":
        name = f"{part + norm}"
    else:
        name = f"{part}.{norm}"
    return f"features.{number(network, layer) + 1}.conv.{name}.{LEAVES[leaf]}"


def timm(network: Any, path: Path) -> str:
    """As `blocks.1.0.conv_pw.weight`; also the names of EfficientNets."""
    layer, *inside, leaf = path
    if layer == HEAD:
        return f"classifier.{LEAVES[leaf]}"
    norm = inside[-1] == "norm"
    if layer in ("stem", "final"):
        name = {"stem": ("conv_stem", "bn1"), "final": ("conv_head", "bn2")}[layer][norm]
        return f"{name}.{LEAVES[leaf]}"
    stage, index = place(layer)
    names = {
        "expand": ("conv_pw", "bn1"),
        "depthwise": ("conv_dw", "bn2"),
        "project": ("conv_pwl", "bn3"),
    }
    if network.stages[stage].expand == 1:
        names = {"depthwise": ("conv_dw", "bn1"), "project": ("conv_pw", "bn2")}
    return f"blocks.{stage}.{index}.{names[inside[0]][norm]}.{LEAVES[leaf]}"


def place(layer: str) -> tuple[int, int]:
    """The stage of a block and its number in the stage, both from 0."""
    match = re.fullmatch(r"stage(\d+)_block(\d+)", layer)
    assert match, layer
    return int(match[1]) - 1, int(match[2])


def number(network: Any, layer: str) -> int:
    """The number of a block in the network, from 0."""
    stage, index = place(layer)
    return sum(earlier.blocks for earlier in network.stages[:stage]) + index


DIALECTS: dict[str, Dialect] = {
    "torchvision": torchvision,
    "the original PyTorch code": flat,
    "timm": timm,
}
