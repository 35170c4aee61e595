"""One file for each term: it wires a loss to the networks that it reads.

`kdjax.terms.<kind>.make(task=..., **wiring)` returns a `Term`. `wiring` is what a config's term
names besides `kind`, `weight` and `temperature`.
"""

from collections.abc import Mapping

from kdjax.types import Array, Outputs, TermState


def no_state(key: Array, outputs: Mapping[str, Outputs]) -> TermState:
    """The `init` of a term that owns nothing."""
    del key, outputs
    return TermState(params={}, memory={})
