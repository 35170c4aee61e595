"""Where networks look: attention maps of a run's networks on a few images."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.evaluation.measures import agreement
from kdjax.evaluation.run_evaluation import Evaluation
from kdjax.losses import at
from kdjax.step import preprocess
from kdjax.system import discover


def make(
    evaluation: Evaluation, networks: Sequence[str], layers: Sequence[str], rows: np.ndarray
) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """Attention maps of the images at `[n]` places in the split, at some layers, by default those
    of `common`.

    Returns:
        The images, `[n, h, w, c]` in [0, 1]; and by network and layer `[n, h', w']`: the mean over
        channels of squared activations, divided by its norm (`kdjax.losses.at`). A network
        that lacks a layer has no map of it.

    Raises:
        UserError: no network has a map of that name.
    """
    pixels = evaluation.split.image.read(rows).astype(np.float32) / 255.0
    default = evaluation.plan.preprocessing
    activations = {}
    for name in networks:
        restored = evaluation.networks[name]
        own = restored.network.preprocessing or default
        image = preprocess.preprocess(jnp.asarray(pixels), own)
        apply = jax.jit(functools.partial(restored.network.apply, train=False))
        activations[name] = {
            layer: value
            for layer, value in apply(restored.state, image)[0].features.items()
            if value.ndim == 4 and value.shape[1] * value.shape[2] > 1
        }
    known = {layer for by_layer in activations.values() for layer in by_layer}
    for layer in layers:
        if layer not in known:
            raise discover.unknown("layer with a map", layer, known)
    shown = layers or common([list(by_layer) for by_layer in activations.values()])
    maps = {
        (name, layer): np.asarray(at.attention_map(value)).reshape(value.shape[:3])
        for name, by_layer in activations.items()
        for layer in shown
        if (value := by_layer.get(layer)) is not None
    }
    return pixels, maps


def common(layers: Sequence[Sequence[str]]) -> list[str]:
    """The last two layers that all networks have, the ends of stages where there are any; `layers`
    has for each network the names of its maps, in order."""
    shared = [layer for layer in layers[0] if all(layer in names for names in layers)]
    shared = [layer for layer in shared if not layer.endswith("_pre")]
    ends = [layer for layer in shared if layer.endswith("_last")]
    return (ends or shared)[-2:]


def telling(evaluation: Evaluation, networks: Sequence[str], count: int) -> np.ndarray:
    """Places of images that are worth looking at, `count` at most.

    Half are the first images of different classes (for attributes: the first images), the others
    the first images on which networks disagree, where there are any.
    """
    label = evaluation.split.label
    multi_label = bool(evaluation.plan.data.attributes)
    differ = agreement.disputed(evaluation.decisions(networks))
    disputed = np.flatnonzero(differ)[: count // 2]
    others = np.arange(len(label)) if multi_label else np.unique(label, return_index=True)[1]
    others = others[~np.isin(others, disputed)]
    return np.concatenate([others[: count - len(disputed)], disputed])
