"""The types that the rooms of the project hand to each other.

Shapes in brackets: `b` batch, `h w c` image height, width, channels, `k` classes or attributes.

These arguments mean the same in every function of `kdjax.step` and `kdjax.training`:

- `code`: the `StageCode` that a compiled step closes over; for a sweep, that of all members.
- `hyper`: the stage's `Hyper`; for a sweep, a dict of each member's by label.
- `state`: the `TrainState` that a step replaces; for a sweep, that of all members.
- `frozen`: by name, the variables of the networks that the stage does not train, or their
  `CachedOutputs`.
- `source`, `epoch`, `position`, or `*at` for the three: where a batch is, as `kdjax.training.feed`
  yields them and a `Fetch` takes them.
- `image_shape`: `(h, w, c)`.
- `axis`: the name of the device axis under pmap, where arrays are one device's share; None under
  jit.
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
    """`[b]` index of each example in the whole data set, before any split or fraction is taken."""
    mask: Array
    """`[b]` float32, 1 for an example and 0 for padding."""
    view: Array | None = None
    """`[b, h, w, c]` float32 in [0, 1]: the images before they are normalised. None where no
    network has a preprocessing of its own."""


class Epoch(NamedTuple):
    """The arguments that all steps of one epoch share."""

    order: ArrayLike | None
    """`[steps, b]` int32 rows of the split, -1 for padding; None where batches are streamed."""
    number: ArrayLike
    """int32: the epoch's number, from 0. It keys the view of every image, and dropout."""


Fetch = Callable[[PyTree, Epoch, Array], Batch]
"""`fetch(source, epoch, position)` returns one batch of uint8 images, inside jit.

`source` is the whole split on the device, or the batch itself where batches are streamed;
`position` is the int32 number of the step within its epoch.
"""


class Outputs(NamedTuple):
    """A network's outputs on one batch."""

    logits: Array
    """`[b, k]`."""
    features: dict[str, Array]
    """Named activations, maps `[b, h, w, c]` or vectors `[b, c]`. Unused ones cost nothing."""


class NetState(NamedTuple):
    """One network's variables."""

    params: PyTree
    batch_stats: PyTree


class CachedOutputs(NamedTuple):
    """A frozen network's outputs on every training image, computed beforehand."""

    row: ArrayLike
    """int32 `[largest id + 1]`: the row of each example's outputs."""
    outputs: Outputs
    """float16: logits `[views, n, k]`, and those features `[views, n, ..]` that a term reads."""


Frozen = NetState | CachedOutputs
"""A frozen network's variables, or its outputs computed beforehand."""


class TermState(NamedTuple):
    """A term's own trained parameters (projectors) and gradient-free memory (banks)."""

    params: PyTree
    memory: PyTree


class Trained(NamedTuple):
    """A `TrainState` without the count of updates."""

    networks: dict[str, NetState]
    terms: dict[str, TermState]
    opt: dict[str, PyTree]


class TrainState(NamedTuple):
    """Everything that changes during a stage."""

    step: Array
    """int32, the stage's own count of optimiser updates: the argument of schedules."""
    networks: dict[str, NetState]
    terms: dict[str, TermState]
    opt: dict[str, PyTree]
    """Optimiser state: an entry for each trained network, and the entry `TERMS`."""

    @property
    def trained(self) -> Trained:
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
    trunk_rate: PyTree = None
    """The factor of the learning rate of layers that are not the head; None where it is 1."""


class Preprocessing(NamedTuple):
    """The preparation of images in [0, 1] for a network: resized, then normalised."""

    size: int
    """The height and width that the network reads."""
    mean: tuple[float, ...]
    """Each channel's mean in images in [0, 1]."""
    std: tuple[float, ...]
    """Each channel's standard deviation."""
    interpolation: str
    """How images are resized: "bilinear" or "bicubic"."""


class Network(NamedTuple):
    """A network as two pure functions."""

    init: Callable[[Array], NetState]
    """`init(key)`."""
    apply: Callable[..., tuple[Outputs, PyTree]]
    """`apply(state, image, train=, key=)` returns `Outputs` and new batch statistics."""
    key_name: str
    """The name that keys initialisation and dropout; paired networks share it."""
    image_shape: tuple[int, int, int]
    """`(h, w, c)` of the images that `apply` reads."""
    preprocessing: Preprocessing | None = None
    """The network's own preprocessing; None where it reads the run's images, `Batch.image`."""


class LoadedNetwork(NamedTuple):
    """A network, and all that its use on new images needs."""

    name: str
    network: Network
    state: NetState
    preprocessing: Preprocessing
    image_shape: tuple[int, int, int]
    """`(h, w, c)` of the uint8 images that its run reads, before the preprocessing."""
    crop: bool
    """Whether the run cuts out the square centre of an image before it resizes the image."""
    class_names: tuple[str, ...]
    """Of classes or attributes; empty for a network without a last layer."""
    multi_label: bool
    """Whether images have attributes, each with a sigmoid, in place of one class."""
    origin: dict[str, Any]
    """`workdir`, `network`, `model` and `precision`; from its record `stage`, `step`, `parameters`,
    `validation` and `test` (scores, or None); of its run `method`, `data`, `versions` and
    `git_commit`."""


class Task(NamedTuple):
    """The losses of multi-class or of multi-label problems, so that terms never ask which it is."""

    hard: Callable[..., Array]
    """`hard(logits, labels, label_smoothing=)` returns `[b]`."""
    soft: Callable[..., Array]
    """`soft(student_logits, teacher_logits, temperature=, scale_by_t2=)` returns `[b]`."""
    soft_cross_entropy: Callable[..., Array]
    """The same arguments; `soft` plus the teacher's entropy."""
    average: Callable[[Array, Array], Array]
    """`average(logits [n, b, k], temperature)` returns the logits `[b, k]` whose softened
    probabilities are the mean of n networks'."""
    virtual: Callable[..., Array]
    """`virtual(logits, labels, correct=, temperature=, temper_student=, scale_by_t2=)` returns
    `[b]`: the divergence from a teacher that is right with probability `correct`."""
    uniform: Callable[[Array], Array]
    """`uniform(logits)` returns `[b]`: the divergence from uniform predictions."""
    correct: Callable[[Array, Array], Array]
    """`correct(logits, labels)` returns 1 where a prediction is right and 0 elsewhere: `[b]`, or
    `[b, k]` for attributes."""


class Context(NamedTuple):
    """All that a term may see of one step.

    Under pmap a term that is not `batch_wide` sees one device's share of the batch; every other
    term sees the global batch.
    """

    batch: Batch
    outputs: Mapping[str, Outputs]
    params: Mapping[str, PyTree]
    """The trained networks' parameters, for terms on weights."""
    hyper: Mapping[str, Array]
    """This term's own values at this step: `weight`, `temperature`."""
    step: Array
    """int32, the stage's own count of updates."""
    key: Array
    """This term's random key at this step; a `batch_wide` term has the same key on all devices."""


class Loss(NamedTuple):
    """A term's unweighted loss, its metrics and its new memory."""

    value: Array
    """`[b]` if `over` is "examples", a scalar otherwise."""
    over: Literal["examples", "batch", "weights"]
    """Per example (the step masks and averages it), a scalar of the global batch (only from a
    `batch_wide` term), or a scalar of the weights alone."""
    metrics: Mapping[str, Array] = {}
    """Metrics to log under the term's name: `[b]`, averaged as the value is, or scalars from a term
    that is `batch_wide` or over the weights."""
    memory: PyTree = None
    """The term's new memory, with the structure, shapes and types that `Term.init` returned; None
    keeps the old memory. Only a `batch_wide` term may have memory, so that all devices hold the
    same."""


class Range(NamedTuple):
    """The values that a hyper-parameter can have."""

    low: float = 0.0
    high: float = math.inf
    open_low: bool = False
    """Whether `low` itself is outside the range; likewise `open_high`."""
    open_high: bool = False


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
    """The networks whose outputs or parameters the term reads."""
    learns: tuple[str, ...] | None = None
    """The networks that receive a gradient from the term; None means all that it reads."""
    batch_wide: bool = False
    """Whether the term must see the global batch: for relations between examples, or memory. Under
    jit every term sees it; under pmap the outputs of all devices are gathered for this term."""
    hyper: Mapping[str, Range] = {}
    """The hyper-parameters beside the weight that it reads from `Context.hyper`, as `temperature`,
    each with its range. A config gives each as a number or as a schedule."""

    @property
    def teaches(self) -> tuple[str, ...]:
        """The networks that receive a gradient from the term, if the stage trains them."""
        return self.reads if self.learns is None else self.learns


TERMS = "terms"
"""The optimiser's entry for the parameters that terms own; no network may have this name."""


Augment = Callable[[Batch, Array, Array], Batch]
"""`augment(batch, view, data_seed)`: images `[b, h, w, c]` float32 in [0, 1] to images of the same
shape; labels become `[b, k]` float32 where images are mixed and stay as they are otherwise."""


class StageCode(NamedTuple):
    """The code of one stage: everything that its compiled step closes over."""

    networks: Mapping[str, Network]
    """Every network that the stage runs."""
    trained: tuple[str, ...]
    """The names of the networks that learn; the others are frozen."""
    terms: Mapping[str, Term]
    task: Task
    training_set: TrainingSet
    """An argument of every term's initialisation."""
    optimiser: optax.GradientTransformation
    """The optimiser without its learning rate: see `kdjax.step.optimisers`."""
    augment: Augment
    mean: tuple[float, ...]
    """Each channel's mean in images in [0, 1]; with `std`, it normalises images."""
    std: tuple[float, ...]
    only: Mapping[str, tuple[str, ...]] = {}
    """For each network that learns in part, the names of the layers that learn."""
    heads: Mapping[str, tuple[str, ...]] = {}
    """For each trained network whose trunk has a learning rate of its own, its head's layers."""
    running_statistics: tuple[str, ...] = ()
    """The trained networks that learn in evaluation mode."""
    views: int = 0
    """The number of augmented views per image, used in rotation, one per epoch. 0 draws a new view
    in every epoch."""
    swept: "Swept | None" = None
    """The members, where the stage trains several at once."""

    @property
    def member(self) -> "StageCode":
        """The code of one member of a sweep; of a single run, this code itself."""
        return self.swept.base if self.swept else self

    @property
    def frozen(self) -> tuple[str, ...]:
        return tuple(name for name in self.networks if name not in self.trained)


class Swept(NamedTuple):
    """The members of a swept stage, whose own `StageCode` has their networks and no terms."""

    base: StageCode
    """The code of one member."""
    labels: tuple[str, ...]
    """The members' labels."""
    vmap: bool
    """Whether the members of a group are one computation over a further axis; otherwise the update
    is called once for each member."""
    together: int
    """The number of members in a group: 1 without `vmap`; 0 for all of them."""

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The labels of the members that one call of the update trains."""
        size = self.together or len(self.labels)
        return [self.labels[i : i + size] for i in range(0, len(self.labels), size)]


class Observed(NamedTuple):
    """The result of a step's first half, `observe`, and the input of the second, `learn`."""

    batch: Batch
    """The augmented and normalised batch."""
    outputs: dict[str, Outputs]
    """The frozen networks' outputs on it."""
