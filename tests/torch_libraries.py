"""PyTorch's libraries of pretrained networks, as references.

All of them import torchvision, whose compiled operators need the PyTorch build that they were
compiled for. No network here uses these operators, so where they do not load, their names alone are
declared.
"""

import functools
import importlib
import sys
from types import ModuleType

import torch

_DECLARED: list[torch.library.Library] = []
"""A declaration lasts as long as its library."""


def load(name: str) -> ModuleType:
    """The library `name`: "torchvision", "timm" or "transformers"."""
    _prepare()
    return importlib.import_module(name)


@functools.cache
def _prepare() -> None:
    # Triton's copy of LLVM crashes beside jaxlib's.
    sys.modules["triton"] = None
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor x) -> Tensor")
        library.define("qnms(Tensor x) -> Tensor")
        _DECLARED.append(library)
        importlib.import_module("torchvision")
