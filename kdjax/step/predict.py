"""Steps in which no network learns: metric sums, outputs, outputs to cache; pure."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from kdjax.step import compiled, preprocess, step, tasks
from kdjax.step.types import Array, Batch, Fetch, Hyper, NetState, Outputs, StageCode


def make_cache_step(code: StageCode, fetch: Fetch) -> Callable[..., dict[str, Outputs]]:
    """`step(frozen, hyper, view, source, epoch, position)` returns outputs to cache, in float16.

    `view` is the number of the view. Only those features are returned that `learn` reads.
    """

    def cache_step(
        frozen: Mapping[str, NetState], hyper: Hyper, view: Array, *at: Any
    ) -> dict[str, Outputs]:
        observed = step.observe(code, frozen, fetch(*at), view, hyper.data_seed)
        select = compiled.feature_filter(code, frozen, observed, hyper)
        return jax.tree.map(lambda x: x.astype(jnp.float16), select(observed.outputs))

    return cache_step


def make_eval_step(code: StageCode, fetch: Fetch) -> Callable[..., dict[str, tasks.Sums]]:
    """`step(networks, source, epoch, position)` returns each network's metric sums on one batch.

    A network without a last layer has none.
    """

    def eval_step(networks: dict[str, NetState], *at: Any) -> dict[str, tasks.Sums]:
        batch = fetch(*at)
        outputs = _outputs(code, networks, batch)
        return {
            name: tasks.sums(code.task, output, batch)
            for name, output in outputs.items()
            if output.logits.shape[-1]
        }

    return eval_step


def make_predict_step(
    code: StageCode, fetch: Fetch, layer: str
) -> Callable[..., dict[str, Outputs]]:
    """`step(networks, source, epoch, position)` returns each network's outputs on one batch.

    `layer` is the only feature to return, for networks that have it; a map `[b, h, w, c]` is
    averaged over positions.
    """

    def predict_step(networks: dict[str, NetState], *at: Any) -> dict[str, Outputs]:
        outputs = _outputs(code, networks, fetch(*at))
        return {
            name: output._replace(
                features={key: _pooled(x) for key, x in output.features.items() if key == layer}
            )
            for name, output in outputs.items()
        }

    return predict_step


def _outputs(code: StageCode, networks: dict[str, NetState], batch: Batch) -> dict[str, Outputs]:
    """Each network's outputs on a batch of uint8 images that is not augmented."""
    scaled = batch._replace(image=batch.image.astype(jnp.float32) / 255.0)
    batch = step.normalised(code, scaled)
    return {
        name: code.networks[name].apply(
            state, preprocess.network_input(code.networks[name], batch), train=False
        )[0]
        for name, state in networks.items()
    }


def _pooled(feature: Array) -> Array:
    return jnp.mean(feature, axis=(1, 2)) if feature.ndim == 4 else feature
