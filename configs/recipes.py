"""Recipes of the field by name: optimiser, learning rate and its schedule, epochs, batch size.

    python -m kdjax.main --config=configs/kd.py:cifar10,recipe=cifar_sgd240

A recipe replaces the top-level keys that it names; each can still be overridden.
"""

from typing import Any

from kdjax.system.discover import unknown

RECIPES: dict[str, dict[str, Any]] = {
    # Tian et al., Contrastive Representation Distillation, arXiv:1910.10699, and the tables that
    # follow its code (CIFAR-100): no Nesterov momentum, decay of every weight.
    "cifar_sgd240": dict(
        optimiser="sgd(momentum=0.9)",
        learning_rate=0.05,
        learning_rate_schedule="steps(learning_rate, 0.1, at=(150, 180, 210))",
        weight_decay=5e-4,
        decay_all=True,
        epochs=240,
        batch_size=64,
    ),
    # Zhang et al., Deep Mutual Learning, arXiv:1706.00384, section 3.1 (CIFAR-100).
    "cifar_sgd200": dict(
        optimiser="sgd(momentum=0.9, nesterov=True)",
        learning_rate=0.1,
        learning_rate_schedule="steps(learning_rate, 0.1, at=(60, 120, 180))",
        weight_decay=5e-4,
        decay_all=True,
        epochs=200,
        batch_size=64,
    ),
    # Zagoruyko & Komodakis, Paying More Attention to Attention, arXiv:1612.03928, and the usual
    # recipe of residual networks on ImageNet.
    "imagenet_sgd100": dict(
        optimiser="sgd(momentum=0.9)",
        learning_rate=0.1,
        learning_rate_schedule="steps(learning_rate, 0.1, at=(30, 60, 90))",
        weight_decay=1e-4,
        decay_all=True,
        epochs=100,
        batch_size=256,
    ),
}


def settings(name: str | None) -> dict[str, Any]:
    """The top-level keys that a recipe sets; None sets none.

    Raises:
        UserError: there is no recipe of that name.
    """
    if name is None:
        return {}
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]
