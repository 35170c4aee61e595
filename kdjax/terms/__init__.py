"""One file for each term: it wires a loss to the networks that it reads.

`kdjax.terms.<kind>.make(task=..., **wiring)` returns a `Term`. A config's term has `kind`,
`weight`, the arguments of `make`, and the hyper-parameters that the term names in `Term.hyper`. A
term that reads named activations checks in its `init`, from their shapes alone, that they exist and
fit: before anything is trained.
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
        UserError: it has no activation of that name; the message lists its activations.
    """
    features = outputs[network].features
    if layer not in features:
        raise unknown(f"layer of network {network!r}", layer, features)
    return features[layer]


def layer_pairs(layers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The student's and the teacher's layer of each entry, from `name` or `student's:teacher's`.

    Raises:
        UserError: there is no entry.
    """
    if not layers:
        raise UserError("name one layer or more")
    pairs = (layer.partition(":") for layer in layers)
    return tuple((student, teacher or student) for student, _, teacher in pairs)
