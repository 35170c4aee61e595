"""Where networks look: attention maps of a run's networks on a few images."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.evaluation.examine import Examined
from kdjax.evaluation.measures import pairs
from kdjax.losses import attention
from kdjax.step import step
from kdjax.system import discover


class Maps(NamedTuple):
    """Attention maps beside what they are of."""

    images: np.ndarray
    """`[n, h, w, c]` in [0, 1]."""
    rows: np.ndarray
    """`[n]` of the split."""
    of: dict[tuple[str, str], np.ndarray]
    """By network and layer, `[n, h', w']`: the mean over channels of squared activations, divided
    by its norm (`kdjax.losses.attention`)."""


def make(
    examined: Examined, networks: Sequence[str], layers: Sequence[str], images: np.ndarray
) -> Maps:
    """The maps at some layers; a network that lacks one has no map of it.

    Args:
        examined: the run.
        networks: rows of its record.
        layers: names of activations; none for those that `common` finds.
        images: `[n]` rows of the split.

    Raises:
        UserError: no network has a map of that name.
    """
    code = examined.plan.stages[0].code
    pixels = examined.split.image.read(images).astype(np.float32) / 255.0
    shown = step.normalise(code, jnp.asarray(pixels))
    found = {}
    for row in networks:
        one = examined.found[row]
        outputs = jax.jit(lambda s, x, f=one.network.apply: f(s, x, train=False)[0])(
            one.state, shown
        )
        found[row] = {
            name: value
            for name, value in outputs.features.items()
            if value.ndim == 4 and value.shape[1] * value.shape[2] > 1
        }
    known = {name for maps in found.values() for name in maps}
    for layer in layers:
        if layer not in known:
            raise discover.unknown("layer with a map", layer, known)
    chosen = layers or common([list(maps) for maps in found.values()])
    of = {}
    for row, maps in found.items():
        for layer in chosen:
            if layer in maps:
                flat = attention.attention_map(maps[layer])
                of[row, layer] = np.asarray(flat).reshape(maps[layer].shape[:3])
    return Maps(pixels, images, of)


def common(layers: Sequence[Sequence[str]], count: int = 2) -> list[str]:
    """The last `count` layers that all networks have, the ends of stages where there are any.

    Args:
        layers: of each network the names of its maps, in order.
        count: how many at most.
    """
    shared = [
        name
        for name in layers[0]
        if not name.endswith("_pre") and all(name in one for one in layers)
    ]
    ends = [name for name in shared if name.endswith("_last")]
    return (ends or shared)[-count:]


def telling(examined: Examined, networks: Sequence[str], count: int) -> np.ndarray:
    """Rows of the split worth looking at: half the first ones of different classes (of attributes:
    the first ones), the others the first on which networks disagree, where there are any.

    Args:
        examined: the run.
        networks: rows of its record.
        count: how many rows at most.
    """
    label = examined.split.label
    several = bool(examined.plan.data.attributes)
    made = np.stack([pairs.decisions(examined.outputs[row].logits, several) for row in networks])
    differ = (made != made[0]).any(axis=0)
    disputed = np.flatnonzero(differ.any(axis=-1) if several else differ)[: count // 2]
    plain = np.arange(len(label)) if several else np.unique(label, return_index=True)[1]
    plain = plain[~np.isin(plain, disputed)]
    return np.concatenate([plain[: count - len(disputed)], disputed])
