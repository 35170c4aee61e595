"""The benchmarks' work in plain PyTorch: eager or compiled, channels last, one fused optimiser."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from experiments.benchmarks.torch_models import MODELS
from experiments.benchmarks.turns import Steps


class Setting:
    """Device, precision and whether modules are compiled."""

    def __init__(self, *, compiled: bool):
        self.compiled = compiled
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.mixed = self.device.type == "cuda"

    def network(self, model: str) -> nn.Module:
        # Declared types leave `memory_format` out, and call a compiled module a function.
        network: Any = MODELS[model]()
        network = network.to(self.device, memory_format=torch.channels_last)
        if self.compiled:
            network = torch.compile(network)
        return network

    def images(self, images: torch.Tensor) -> torch.Tensor:
        return images.to(self.device).contiguous(memory_format=torch.channels_last)

    def cast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)

    def wait(self) -> None:
        if self.mixed:
            torch.cuda.synchronize()

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.01, fused=True)


def soft_targets(
    setting: Setting, teacher: str, student: str, batch: int, *, alpha: float, temperature: float
) -> Steps:
    """`alpha T^2 KL + (1 - alpha) CE` from a frozen teacher, on one batch of 32 x 32 images."""
    large, small = setting.network(teacher).eval(), setting.network(student).train()
    optimiser = setting.optimiser(small)
    image = setting.images(torch.randn(batch, 3, 32, 32))
    label = torch.randint(0, 10, (batch,), device=setting.device)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with setting.cast():
            with torch.no_grad():
                target = large(image)
            logits = small(image)
        soft = divergence(logits.float(), target.float(), temperature)
        hard = F.cross_entropy(logits.float(), label)
        (alpha * soft + (1 - alpha) * hard).backward()
        optimiser.step()

    return _repeat(setting, step)


def divergence(logits: torch.Tensor, target: torch.Tensor, temperature: float) -> torch.Tensor:
    """`T^2 KL(target || logits)`, the mean over examples."""
    log_p = F.log_softmax(target / temperature, dim=-1)
    log_q = F.log_softmax(logits / temperature, dim=-1)
    return temperature**2 * F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


def mutual(
    setting: Setting, model: str, batch: int, images: np.ndarray, labels: np.ndarray
) -> Steps:
    """Epochs of two peers with shuffling and shifts by up to two pixels; a step is one epoch.

    Args:
        setting: device and precision.
        model: the architecture of both peers.
        batch: images in a step.
        images: `[n, h, w]` uint8.
        labels: `[n]`.
    """
    peers = [setting.network(model).train() for _ in range(2)]
    optimisers = [setting.optimiser(peer) for peer in peers]
    pad = 2
    source = F.pad(torch.from_numpy(images), (pad,) * 4).to(setting.device)
    target = torch.from_numpy(labels).long().to(setting.device)
    size = images.shape[1]
    along = torch.arange(size, device=setting.device)

    def step(rows: torch.Tensor) -> None:
        shift = torch.randint(0, 2 * pad + 1, (2, len(rows), 1), device=setting.device)
        y, x = (along + shift).unbind(0)
        image = source[rows[:, None, None], y[:, :, None], x[:, None, :]]
        image = ((image.float() / 255 - 0.1307) / 0.3081).unsqueeze(1)
        label = target[rows]
        for optimiser in optimisers:
            optimiser.zero_grad(set_to_none=True)
        with setting.cast():
            outputs = [peer(image) for peer in peers]
        first, second = (logits.float() for logits in outputs)
        hard = F.cross_entropy(first, label) + F.cross_entropy(second, label)
        soft = divergence(first, second.detach(), 1.0) + divergence(second, first.detach(), 1.0)
        (hard + soft).backward()
        for optimiser in optimisers:
            optimiser.step()

    def epoch() -> None:
        order = torch.randperm(len(target), device=setting.device)
        for first in range(0, len(order) - batch + 1, batch):
            step(order[first : first + batch])

    return _repeat(setting, epoch)


def inference(setting: Setting, model: str, batch: int) -> Steps:
    """Predictions of one batch of 32 x 32 images."""
    network = setting.network(model).eval()
    image = setting.images(torch.randn(batch, 3, 32, 32))

    def predict() -> None:
        with torch.inference_mode(), setting.cast():
            network(image)

    return _repeat(setting, predict)


def _repeat(setting: Setting, step: Callable[[], None]) -> Steps:
    def steps(count: int) -> float:
        for _ in range(count):
            step()
        setting.wait()
        return count

    return steps
