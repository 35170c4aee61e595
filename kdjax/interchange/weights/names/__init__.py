"""Names of tensors in PyTorch, one file for each family of `kdjax.models`.

A dialect is a function of a network (the Flax module, for its fields) and of a variable's path in
it, as `("Block_3", "Conv_0", "kernel")`, and returns the tensor's name. Each file has `DIALECTS`,
by the library that writes these names, and `HEAD`, the layer that makes logits.
"""

from collections.abc import Callable
from typing import Any

Path = tuple[str, ...]
Dialect = Callable[[Any, Path], str]

LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
"""Flax's names of a layer's variables, and PyTorch's."""
