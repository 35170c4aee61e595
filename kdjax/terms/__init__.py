"""One file for each term: it wires a loss to the networks that it reads.

`kdjax.terms.<kind>.make(task=..., **wiring)` returns a `Term`. `wiring` is what a config's term
names besides `kind`, `weight` and `temperature`. A term that reads named activations makes sure in
its `init`, from their shapes alone, that they are there and fit: before anything is trained.
"""

from collections.abc import Mapping

from kdjax.step.types import Array, Outputs, TermState, TrainingSet
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError


def no_state(key: Array, outputs: Mapping[str, Outputs], training_set: TrainingSet) -> TermState:
    """The `init` of a term without parameters and memory."""
    del key, outputs, training_set
    return TermState(params={}, memory={})


def activation(outputs: Mapping[str, Outputs], network: str, layer: str) -> Array:
    """A network's named activation.

    Raises:
        UserError: it has none of that name; lists those that it has.
    """
    features = outputs[network].features
    if layer not in features:
        raise unknown(f"layer of network {network!r}", layer, features)
    return features[layer]


def layer_pairs(layers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The student's and the teacher's layer of each entry: `name` for both, or `mine:theirs`.

    Raises:
        UserError: there are none.
    """
    if not layers:
        raise UserError("name one layer or more")
    split = (layer.partition(":") for layer in layers)
    return tuple((mine, theirs or mine) for mine, _, theirs in split)
