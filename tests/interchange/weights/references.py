"""Networks of PyTorch's libraries with random weights and statistics, as references."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from tests import torch_libraries


class Reference(NamedTuple):
    """A network of another library."""

    model: str
    """The name of the same network here."""
    make: Callable[[int], torch.nn.Module]
    """Makes it for images with this number of pixels a side; only vision transformers ask."""
    features: Callable[[torch.nn.Module], Mapping[str, torch.nn.Module]]
    """The modules whose outputs are named features here."""
    tokens: int = 0
    """The number of tokens ahead of those of a map; 0: outputs are maps."""


def randomise(network, seed=0):
    """Gives every variable random values, BatchNorm's statistics too, and returns the network."""
    generator = torch.Generator().manual_seed(seed)

    def normal(tensor, scale, mean=0.0):
        tensor.copy_(mean + scale * torch.randn(tensor.shape, generator=generator))

    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            elif tensor.ndim > 1:
                fan_in = tensor[0].numel()
                normal(tensor, fan_in**-0.5)
            elif tensor.is_floating_point():
                normal(tensor, 0.2, mean=1.0 if name.endswith("weight") else 0.0)
    return network.eval()


def tensors(network):
    """The network's variables as NumPy's arrays."""
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def outputs(reference, network, image):
    """Logits, and features in the layout `[b, h, w, c]`, for images `[b, h, w, c]`."""
    values = {}

    def keep(name):
        def hook(module, arguments, output):
            # In-place activations would change it.
            values[name] = output.detach().clone()

        return hook

    for name, module in reference.features(network).items():
        module.register_forward_hook(keep(name))
    with torch.no_grad():
        logits = network(torch.from_numpy(np.ascontiguousarray(image.transpose(0, 3, 1, 2))))
    logits = getattr(logits, "logits", logits)
    return logits.numpy(), {
        name: _in_our_layout(value, name, reference.tokens) for name, value in values.items()
    }


def _in_our_layout(value, name, tokens):
    if name == "pooled":
        return value.flatten(1).numpy()
    if tokens:
        value = value[:, tokens:]
        side = round(value.shape[1] ** 0.5)
        return value.reshape(len(value), side, side, -1).numpy()
    return value.permute(0, 2, 3, 1).numpy()


def _torchvision(name: str) -> Callable[[int], torch.nn.Module]:
    def make(size):
        return getattr(torch_libraries.load("torchvision").models, name)(weights=None)

    return make


def _timm(name: str, sized: bool = False) -> Callable[[int], torch.nn.Module]:
    def make(size):
        timm = torch_libraries.load("timm")
        return timm.create_model(name, **({"img_size": size} if sized else {}))

    return make


def _transformers(kind: str, depths: list[int], widths: list[int]) -> Callable[[int], Any]:
    def make(size):
        transformers = torch_libraries.load("transformers")
        config = transformers.ResNetConfig(layer_type=kind, depths=depths, hidden_sizes=widths)
        config.num_labels = 1000
        return transformers.ResNetForImageClassification(config)

    return make


def _stages(stages):
    """The first and last block of each stage."""
    return {
        f"stage{number}_{place}": stage[index]
        for number, stage in enumerate(stages, start=1)
        for place, index in (("first", 0), ("last", -1))
    }


def _of_torchvision_resnet(network):
    stages = [getattr(network, f"layer{number}") for number in (1, 2, 3, 4)]
    pool = network.avgpool if hasattr(network, "avgpool") else network.global_pool
    return {"stem_pre": network.bn1, **_stages(stages), "pooled": pool}


def _of_transformers_resnet(network):
    trunk = network.resnet
    return {
        "stem": trunk.embedder.embedder,
        **_stages([stage.layers for stage in trunk.encoder.stages]),
        "pooled": trunk.pooler,
    }


def _of_torchvision_mobilenet(network):
    starts = [1, 2, 4, 7, 11, 14, 17, 18]
    stages = [network.features[start:end] for start, end in itertools.pairwise(starts)]
    return {
        "stem_pre": network.features[0][1],
        "stem": network.features[0],
        **_stages(stages),
        "final": network.features[18],
    }


def _of_timm_efficientnet(network):
    return {
        "stem": network.bn1,
        **_stages(network.blocks),
        "final": network.bn2,
        "pooled": network.global_pool,
    }


def _of_timm_vit(network):
    stages = [network.blocks[start : start + 3] for start in (0, 3, 6, 9)]
    return {"stem": network.pos_drop, **_stages(stages)}


def _vit(model: str, name: str) -> Reference:
    return Reference(model, _timm(name, sized=True), _of_timm_vit, tokens=1)


REFERENCES = {
    **{
        f"torchvision resnet{depth}": Reference(
            f"resnet.resnet{depth}_imagenet",
            _torchvision(f"resnet{depth}"),
            _of_torchvision_resnet,
        )
        for depth in (18, 34, 50)
    },
    **{
        f"timm resnet{depth}": Reference(
            f"resnet.resnet{depth}_imagenet", _timm(f"resnet{depth}"), _of_torchvision_resnet
        )
        for depth in (18, 50)
    },
    "transformers resnet18": Reference(
        "resnet.resnet18_imagenet",
        _transformers("basic", [2, 2, 2, 2], [64, 128, 256, 512]),
        _of_transformers_resnet,
    ),
    "transformers resnet50": Reference(
        "resnet.resnet50_imagenet",
        _transformers("bottleneck", [3, 4, 6, 3], [256, 512, 1024, 2048]),
        _of_transformers_resnet,
    ),
    "torchvision mobilenet_v2": Reference(
        "mobilenet.mobilenet_v2", _torchvision("mobilenet_v2"), _of_torchvision_mobilenet
    ),
    "timm mobilenetv2_100": Reference(
        "mobilenet.mobilenet_v2", _timm("mobilenetv2_100"), _of_timm_efficientnet
    ),
    "timm mobilenetv2_050": Reference(
        "mobilenet.small", _timm("mobilenetv2_050"), _of_timm_efficientnet
    ),
    "timm tf_efficientnet_lite0": Reference(
        "efficientnet.lite0", _timm("tf_efficientnet_lite0"), _of_timm_efficientnet
    ),
    "timm efficientnet_lite0": Reference(
        "efficientnet.lite0_symmetric", _timm("efficientnet_lite0"), _of_timm_efficientnet
    ),
    "timm vit_tiny": _vit("vit.vit_tiny", "vit_tiny_patch16_224"),
    "timm vit_small": _vit("vit.vit_small", "vit_small_patch16_224"),
}
