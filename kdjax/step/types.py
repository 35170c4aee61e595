"""The types that the rooms of the project hand to each other.

Shapes in brackets: `b` batch, `h w c` image height, width, channels, `k` classes or attributes.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import optax
from jax.typing import ArrayLike

Array = jax.Array
PyTree = Any


class Batch(NamedTuple):
    """One batch of examples, as the networks see it."""

    image: Array
    """`[b, h, w, c]` float32."""
    label: Array
    """`[b]` class indices, or `[b, k]` class probabilities or attributes in {0, 1}."""
    id: Array
    """`[b]` index of each example in its data set, whatever is held out of it and whatever fraction
    is used."""
    mask: Array
    """`[b]` float32, 1 for an example and 0 for padding."""


class Epoch(NamedTuple):
    """What the steps of one epoch share."""

    order: ArrayLike | None
    """`[steps, b]` int32 rows of the split, -1 for padding; None where batches are streamed."""
    number: ArrayLike
    """int32: the view, which keys augmentation and dropout."""


Fetch = Callable[[PyTree, Epoch, Array], Batch]
"""`fetch(source, epoch, position)` gives one batch, inside jit; its images are uint8."""


class Outputs(NamedTuple):
    """What a network puts out on one batch."""

    logits: Array
    """`[b, k]`."""
    features: dict[str, Array]
    """Every named activation, maps `[b, h, w, c]` or vectors `[b, c]`. Unused ones cost nothing."""


class NetState(NamedTuple):
    """One network's variables."""

    params: PyTree
    batch_stats: PyTree


class TermState(NamedTuple):
    """What a term owns: trained parameters (projectors) and gradient-free memory (banks)."""

    params: PyTree
    memory: PyTree


class Trained(NamedTuple):
    """What an update replaces, beside the count of updates."""

    networks: dict[str, NetState]
    terms: dict[str, TermState]
    opt: dict[str, PyTree]
    """As in `TrainState`."""


class TrainState(NamedTuple):
    """Everything that changes during a stage."""

    step: Array
    """int32, the stage's own count of optimiser updates: what schedules are functions of."""
    networks: dict[str, NetState]
    terms: dict[str, TermState]
    opt: dict[str, PyTree]
    """Optimiser state, one entry for each trained network and one, `terms`, for the terms."""

    @property
    def trained(self) -> Trained:
        """All but the count of updates."""
        return Trained(self.networks, self.terms, self.opt)


class Hyper(NamedTuple):
    """Hyper-parameters of a stage: an argument of the step, so no value in it recompiles it.

    Leaves are schedules (`kdjax.step.schedules`), or arrays once evaluated at a step.
    """

    seed: Array
    """uint32: initialisation and dropout."""
    data_seed: Array
    """uint32: augmentation."""
    learning_rate: PyTree
    terms: dict[str, dict[str, PyTree]]
    """For each term its `weight`, and its `temperature` where it has one."""


class Network(NamedTuple):
    """A network as two pure functions."""

    init: Callable[[Array], NetState]
    """`init(key)`."""
    apply: Callable[..., tuple[Outputs, PyTree]]
    """`apply(state, image, train=, key=)` returns outputs and new batch statistics."""
    key_name: str
    """The name that keys initialisation and dropout; paired networks share it."""


class Task(NamedTuple):
    """What terms and metrics ask instead of asking which kind of problem this is."""

    hard: Callable[..., Array]
    """`hard(logits, labels, label_smoothing=)` gives `[b]`."""
    soft: Callable[..., Array]
    """`soft(student_logits, teacher_logits, temperature=, scale_by_t2=)` gives `[b]`."""
    soft_cross_entropy: Callable[..., Array]
    """The same arguments; `soft` and the teacher's entropy."""
    average: Callable[[Array, Array], Array]
    """`average(logits [n, b, k], temperature)` gives the logits `[b, k]` whose softened
    probabilities are the mean of n networks'."""
    virtual: Callable[..., Array]
    """`virtual(logits, labels, correct=, temperature=, temper_student=, scale_by_t2=)` gives `[b]`:
    the divergence from a teacher that is right with probability `correct`."""
    uniform: Callable[[Array], Array]
    """`uniform(logits)` gives `[b]`: the divergence from uniform predictions."""
    correct: Callable[[Array, Array], Array]
    """`correct(logits, labels)` gives 1 where a prediction is right and 0 elsewhere: `[b]`, or
    `[b, k]` for attributes."""


class Context(NamedTuple):
    """All that a term may see of one step: of the global batch or, in a term that is not
    `batch_wide`, of one device's share of it under pmap."""

    batch: Batch
    outputs: Mapping[str, Outputs]
    params: Mapping[str, PyTree]
    """The trained networks' parameters, for terms on weights."""
    hyper: Mapping[str, Array]
    """This term's own values at this step: `weight`, `temperature`."""
    step: Array
    """int32, the stage's own count of updates."""
    key: Array
    """A random key of this term and this step; the same on all devices for a `batch_wide` term."""


class Loss(NamedTuple):
    """What a term returns, unweighted."""

    value: Array
    """`[b]` if `over` is "examples", a scalar otherwise."""
    over: Literal["examples", "batch", "weights"]
    """Per example (masked and averaged in one place), a scalar of the global batch (from a
    `batch_wide` term only), or a scalar of the weights alone."""
    metrics: Mapping[str, Array] = {}
    """To log under the term's name: `[b]`, averaged as the value is, or scalars from terms that are
    `batch_wide` or over the weights."""
    memory: PyTree = None
    """The term's new memory, of the structure, shapes and types that `Term.init` made; None: as it
    was. Only a `batch_wide` term may have memory, so that it is equal on all devices."""


class Range(NamedTuple):
    """The values that a hyper-parameter can have."""

    low: float = 0.0
    high: float = math.inf
    """Included, where it is finite."""
    open_low: bool = False
    """Whether `low` itself is out of the range."""


TEMPERATURE = Range(1e-4, 1e4)
"""Beyond it, softened logits or their differences are lost in float32's rounding: at T = 10,000 the
gradient of T^2 KL, T times a difference of probabilities, has a relative error of about 1e-3."""


class TrainingSet(NamedTuple):
    """The training examples of a run, as a term's initialisation may need them."""

    label: np.ndarray
    """`[n]` class indices or `[n, k]` attributes in {0, 1}."""
    id: np.ndarray
    """`[n]` indices in the data set, as `Batch.id`. A memory bank with a row for each example has
    `max(id) + 1` rows, since held-out examples have indices too."""
    classes: int
    """The number of classes, or of attributes."""


class Term(NamedTuple):
    """One summand of a training objective."""

    init: Callable[[Array, Mapping[str, Outputs], TrainingSet], TermState]
    """`init(key, outputs, training_set)`, with the shapes of every network's outputs."""
    loss: Callable[[TermState, Context], Loss]
    """`loss(term_state, context)`."""
    reads: tuple[str, ...]
    """The networks that it reads."""
    learns: tuple[str, ...] | None = None
    """Those of them that its gradient reaches; None: all."""
    batch_wide: bool = False
    """Whether it must see the global batch: relations between examples, or memory. Under jit every
    term does; under pmap the outputs of all devices are gathered for this one."""
    hyper: Mapping[str, Range] = {}
    """The hyper-parameters beside the weight that it reads from `Context.hyper`, as `temperature`,
    each with its range. A config gives each as a number or as a schedule."""

    @property
    def teaches(self) -> tuple[str, ...]:
        """The networks that its gradient reaches, where they are trained."""
        return self.reads if self.learns is None else self.learns


TERMS = "terms"
"""The optimiser's entry for the parameters that terms own; no network may have this name."""


Augment = Callable[[Batch, Array, Array], Batch]
"""`augment(batch, view, data_seed)`: images `[b, h, w, c]` float32 in [0, 1] to images of the same
shape; labels become `[b, k]` float32 where images are mixed and stay as they are otherwise."""


class StageCode(NamedTuple):
    """The code of one stage: what its compiled step closes over."""

    networks: Mapping[str, Network]
    """Every network that the stage runs."""
    trained: tuple[str, ...]
    """Names of those that learn; the others are frozen."""
    terms: Mapping[str, Term]
    task: Task
    training_set: TrainingSet
    """For the initialisation of terms."""
    optimiser: optax.GradientTransformation
    """Without the learning rate: see `kdjax.step.optimisers`."""
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
    """A stage of several members; its `StageCode` has their names and no terms."""

    base: StageCode
    """The stage of one member."""
    labels: tuple[str, ...]
    """Of the members."""
    vmap: bool
    """Whether the members of one call are one computation over a further axis; else one call trains
    one member."""
    together: int
    """How many members one call trains: 1 without `vmap`; 0: all of them."""


class CachedOutputs(NamedTuple):
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
