"""PyTorch's libraries of pretrained networks, as references. Import them through this file.

torchvision's compiled operators need the PyTorch build that they were compiled for. No network here
uses them, so where they do not load, their names alone are declared.
"""

import sys
from types import ModuleType

import torch

sys.modules["triton"] = None  # type: ignore[assignment]


def _torchvision() -> ModuleType:
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        _LIBRARIES.append(library)
        library.define("nms(Tensor x) -> Tensor")
        library.define("qnms(Tensor x) -> Tensor")
        import torchvision
    return torchvision


_LIBRARIES: list[torch.library.Library] = []
"""A declaration lasts as long as its library."""
torchvision = _torchvision()
