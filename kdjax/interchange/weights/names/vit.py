"""Vision transformers, in timm's names."""

from typing import Any

from kdjax.interchange.weights.names import LEAVES, Dialect, Path

HEAD = "head"

_LAYERS = {
    "patches": "patch_embed.proj",
    "norm": "norm",
    HEAD: "head",
    "attention_norm": "norm1",
    "qkv": "attn.qkv",
    "attention_out": "attn.proj",
    "mlp_norm": "norm2",
    "mlp_in": "mlp.fc1",
    "mlp_out": "mlp.fc2",
}


def timm(network: Any, path: Path) -> str:
    """As `blocks.0.attn.qkv.weight`."""
    if len(path) == 1:
        return {"class_token": "cls_token", "position": "pos_embed"}[path[0]]
    *blocks, layer, leaf = path
    parts = [f"blocks.{block.removeprefix('block')}" for block in blocks]
    return ".".join([*parts, _LAYERS[layer], LEAVES[leaf]])


DIALECTS: dict[str, Dialect] = {"timm": timm}
