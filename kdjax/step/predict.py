"""What networks put out where none of them learns: metric sums, outputs, answers; pure."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from kdjax.step import pruning, step, tasks
from kdjax.step.types import Array, Epoch, Fetch, NetState, Outputs, PyTree, StageCode

Predicted = dict[str, Outputs]
"""Of each network, on one batch."""


def make_answer_step(code: StageCode, fetch: Fetch) -> Callable[..., dict[str, Outputs]]:
    """`step(frozen, read, data_seed, view, source, epoch, position)`: frozen networks' answers.

    `read` holds the names of the features that are kept of each network, and is static.
    """

    def answer_step(
        frozen: dict[str, NetState],
        read: tuple[tuple[str, str], ...],
        data_seed: Array,
        view: Array,
        source: PyTree,
        epoch: Epoch,
        position: Array,
    ) -> dict[str, Outputs]:
        batch = fetch(source, epoch, position)
        outputs = step.observe(code, frozen, batch, view, data_seed).outputs
        kept = pruning.keep(outputs, read)
        return jax.tree.map(lambda x: x.astype(jnp.float16), kept)

    return answer_step


def make_eval_step(code: StageCode, fetch: Fetch) -> Callable[..., dict[str, tasks.Sums]]:
    """`step(networks, source, epoch, position)` gives each network's metric sums on one batch."""

    def eval_step(
        networks: dict[str, NetState], source: PyTree, epoch: Epoch, position: Array
    ) -> dict[str, tasks.Sums]:
        batch = fetch(source, epoch, position)
        image = step.normalise(code, batch.image.astype(jnp.float32) / 255.0)
        batch = batch._replace(image=image)
        return {
            name: tasks.sums(
                code.task,
                code.networks[name].apply(state, image, train=False)[0],
                batch,
            )
            for name, state in networks.items()
        }

    return eval_step


def make_predict_step(code: StageCode, fetch: Fetch, layer: str) -> Callable[..., Predicted]:
    """`step(networks, source, epoch, position)` gives each network's outputs on one batch.

    Args:
        code: the stage's code.
        fetch: how a batch is read.
        layer: the only activation that comes along, from those networks that have it; of a map
            `[b, h, w, c]` its mean over positions.
    """

    def predict_step(
        networks: dict[str, NetState], source: PyTree, epoch: Epoch, position: Array
    ) -> Predicted:
        batch = fetch(source, epoch, position)
        image = step.normalise(code, batch.image.astype(jnp.float32) / 255.0)
        found = {}
        for name, state in networks.items():
            outputs, _ = code.networks[name].apply(state, image, train=False)
            kept = {key: _pooled(x) for key, x in outputs.features.items() if key == layer}
            found[name] = outputs._replace(features=kept)
        return found

    return predict_step


def _pooled(feature: Array) -> Array:
    return jnp.mean(feature, axis=(1, 2)) if feature.ndim == 4 else feature
