"""What one stage's compiled step closes over, and what its two halves hand to each other."""

from collections.abc import Mapping
from typing import NamedTuple

import optax
from jax.typing import ArrayLike

from kdjax.augment import Augment
from kdjax.types import Batch, Network, Outputs, Task, Term

TERMS = "terms"
"""The optimiser's entry for the parameters that terms own; no network may have this name."""


class Program(NamedTuple):
    """The code of one stage: what its compiled step closes over."""

    networks: Mapping[str, Network]
    """Every network that the stage runs."""
    trained: tuple[str, ...]
    """Names of those that learn; the others are frozen."""
    terms: Mapping[str, Term]
    task: Task
    optimiser: optax.GradientTransformation
    """Without the learning rate: see `kdjax.optim`."""
    augment: Augment
    mean: tuple[float, ...]
    """Of each channel of images in [0, 1]; with `std`, how images are normalised."""
    std: tuple[float, ...]
    only: Mapping[str, tuple[str, ...]] = {}
    """For networks that learn in part, the names of the layers that do."""
    views: int = 0
    """So many views of every image take turns, one in each epoch; 0: every epoch has its own."""
    swept: "Swept | None" = None
    """Where several members are trained at once: what each of them is."""

    @property
    def frozen(self) -> tuple[str, ...]:
        return tuple(name for name in self.networks if name not in self.trained)


class Swept(NamedTuple):
    """A stage of several members (`kdjax.members`); its `Program` has their names and no terms."""

    base: Program
    """The stage of one member."""
    labels: tuple[str, ...]
    """Of the members."""
    vmap: bool
    """Whether the members of one call are one computation over a further axis; else one call trains
    one member."""
    together: int
    """How many members one call trains: 1 without `vmap`; 0: all of them."""


class Answers(NamedTuple):
    """What a frozen network puts out on every training image, computed beforehand.

    It stands in the place of the network's variables.
    """

    row: ArrayLike
    """int32 `[largest id + 1]`: where an example's answers are."""
    outputs: Outputs
    """float16: logits `[views, n, k]`, and features `[views, n, ..]`, those that are read."""


class Observed(NamedTuple):
    """What `observe` hands to `learn`."""

    batch: Batch
    outputs: dict[str, Outputs]
    """Of the frozen networks."""
