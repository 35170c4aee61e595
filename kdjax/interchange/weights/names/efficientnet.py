"""EfficientNet-lite, in the names of the package efficientnet_pytorch and of timm."""

from typing import Any

from kdjax.interchange.weights.names import LEAVES, Dialect, Path
from kdjax.interchange.weights.names.mobilenet import HEAD, number, timm

_OUTER = {"stem": ("_conv_stem", "_bn0"), "final": ("_conv_head", "_bn1")}
_INNER = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}


def efficientnet_pytorch(network: Any, path: Path) -> str:
    """As `_blocks.1._expand_conv.weight`."""
    layer, *inside, leaf = path
    if layer == HEAD:
        return f"_fc.{LEAVES[leaf]}"
    norm = inside[-1] == "norm"
    if layer in _OUTER:
        return f"{_OUTER[layer][norm]}.{LEAVES[leaf]}"
    return f"_blocks.{number(network, layer)}.{_INNER[inside[0]][norm]}.{LEAVES[leaf]}"


DIALECTS: dict[str, Dialect] = {"efficientnet_pytorch": efficientnet_pytorch, "timm": timm}
