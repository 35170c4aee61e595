"""Turns tensors with PyTorch's names and layouts into the variables of a network of the zoo."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.interchange.weights import names
from kdjax.interchange.weights.names import Dialect, Path
from kdjax.step.types import NetState
from kdjax.system import discover, errors
from kdjax.system.errors import UserError
from kdjax.system.progress import console

_PREFIX = re.compile(r"((module|_orig_mod|model|backbone)\.)*")
"""The fields under which other modules hold a network."""
_COUNTER = "num_batches_tracked"
"""PyTorch's number of updates of BatchNorm's statistics, which no computation here needs."""
_SHOWN = 6
"""The most tensors of one kind that a message names."""


class _Network(NamedTuple):
    """A network as its names need it."""

    name: str
    module: Any
    head: str
    dialects: Mapping[str, Dialect]


def convert(tensors: Mapping[str, np.ndarray], template: NetState, model: str) -> NetState:
    """The variables of `model`, read from PyTorch's tensors.

    The library whose names fit most of the tensors is chosen. Convolutions `[o, c, h, w]` become
    `[h, w, c, o]`, dense layers `[o, c]` become `[c, o]`, and numbers of other precisions float32.
    If the template has no head, the file's head is left out, and a line on the console says so.

    Args:
        tensors: by name. `module.`, `model.`, `backbone.` and the like are ignored ahead of names.
        template: the shapes of the network's variables.
        model: the network's name, as `resnet.resnet18_imagenet`.

    Raises:
        UserError: the names fit no library, or tensors are missing, unknown, of another shape, no
            floating-point numbers, or not finite; the message names them.
    """
    network = _network(model)
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    shapes = {_path(keys): leaf.shape for keys, leaf in leaves}
    named = _without_prefixes(tensors)
    library = _library(network, shapes, named)
    dialect = network.dialects[library]
    wanted = {dialect(network.module, path): path for path in shapes}
    head = _head(network, dialect)
    with_head = any(path[0] == network.head for path in shapes)
    left_out = [] if with_head else [name for name in head if name in named]
    _check(model, library, shapes, wanted, named, head, left_out)
    if left_out:
        classes = named[left_out[0]][1].shape[0]
        texts = " and ".join(named[name][0] for name in left_out)
        console.print(
            f"{model}: the file's head of {classes} classes is left out ({texts})",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    values = {path: _to_flax(named[name][1], shapes[path]) for name, path in wanted.items()}
    return jax.tree_util.tree_unflatten(structure, [values[_path(keys)] for keys, _ in leaves])


def head_classes(tensors: Mapping[str, np.ndarray], model: str) -> int:
    """The number of classes of the head among PyTorch's tensors; 0 if they have no head.

    Raises:
        UserError: no tensor has a name that is known for this model.
    """
    network = _network(model)
    named = _without_prefixes(tensors)
    heads = {_head(network, dialect)[0] for dialect in network.dialects.values()}
    shapes = [named[name][1].shape for name in sorted(heads & named.keys())]
    # A wrong rank is reported with all other wrong shapes.
    return next((shape[0] for shape in shapes if shape), 0)


def library(tensors: Mapping[str, np.ndarray], template: NetState, model: str) -> str:
    """The library in whose names the tensors are.

    Raises:
        UserError: their names fit no library.
    """
    leaves = jax.tree_util.tree_leaves_with_path(template)
    shapes = {_path(keys): leaf.shape for keys, leaf in leaves}
    return _library(_network(model), shapes, _without_prefixes(tensors))


def models() -> list[str]:
    """The names of the networks whose tensors have names in other libraries."""
    families = discover.names(names.__name__)
    return [name for name in discover.models() if name.partition(".")[0] in families]


def _network(model: str) -> _Network:
    function = discover.model(model)
    family = model.partition(".")[0]
    if discover.is_own(model) or family not in discover.names(names.__name__):
        raise UserError(
            f"no names of other libraries' weights are known for {model}; there are names for: "
            f"{', '.join(models())}"
        )
    file = discover.module(names.__name__, family, "family of weights")
    return _Network(model, function(classes=0, dropout=0.0), file.HEAD, file.DIALECTS)


def _path(keys: Sequence[Any]) -> Path:
    """A variable's path in the network, without the name of the collection."""
    return tuple(key.key for key in keys[1:])


def _head(network: _Network, dialect: Dialect) -> list[str]:
    """The names of the head's weight and bias."""
    return [dialect(network.module, (network.head, leaf)) for leaf in ("kernel", "bias")]


def _without_prefixes(
    tensors: Mapping[str, np.ndarray],
) -> dict[str, tuple[str, np.ndarray]]:
    """By names without prefixes, the names in the file and the tensors.

    Raises:
        UserError: two tensors have one name without their prefixes.
    """
    named: dict[str, tuple[str, np.ndarray]] = {}
    for full_name, tensor in tensors.items():
        name = _PREFIX.sub("", full_name, count=1)
        if name.endswith(_COUNTER):
            continue
        if name in named:
            raise UserError(
                f"the tensors {named[name][0]} and {full_name} are the same layer of two networks: "
                "leave only one network in the file"
            )
        named[name] = full_name, tensor
    return named


def _library(network: _Network, shapes: Mapping[Path, Any], named: Mapping[str, Any]) -> str:
    """The library whose names fit most of the tensors."""
    fitting = {
        library: sum(dialect(network.module, path) in named for path in shapes)
        for library, dialect in network.dialects.items()
    }
    best = max(fitting, key=lambda library: fitting[library])
    if not fitting[best]:
        first = errors.listed([*named], 3) or "none"
        raise UserError(
            f"the tensors are not those of {network.name} in the names of "
            f"{' or '.join(network.dialects)}: the file has {first}"
        )
    return best


def _check(
    model: str,
    library: str,
    shapes: Mapping[Path, tuple[int, ...]],
    wanted: Mapping[str, Path],
    named: Mapping[str, tuple[str, np.ndarray]],
    head: Sequence[str],
    left_out: Sequence[str],
) -> None:
    """Raises one error that names every tensor that does not fit."""
    expected = {name: _torch_shape(shapes[path], path[-1]) for name, path in wanted.items()}
    missing = [name for name in sorted(wanted) if name not in named]
    extra = [name for name in named if name not in wanted and name not in left_out]
    common = [name for name in sorted(wanted) if name in named]
    misshaped = [name for name in common if named[name][1].shape != expected[name]]
    no_floats = [name for name in common if not jnp.issubdtype(named[name][1].dtype, jnp.floating)]
    infinite = [
        name
        for name in common
        if name not in no_floats and not np.isfinite(named[name][1].astype(np.float32)).all()
    ]

    def texts(names: Sequence[str], form: str) -> str:
        return errors.listed(
            [
                form.format(
                    named[name][0] if name in named else name,
                    has=_text(named[name][1].shape) if name in named else "",
                    wants=_text(expected[name]) if name in expected else "",
                    dtype=named[name][1].dtype if name in named else "",
                )
                for name in names
            ],
            _SHOWN,
        )

    parts = [
        f"{what} {texts(names, form)}"
        for what, names, form in (
            ("missing:", missing, "{} {wants}"),
            ("unknown:", extra, "{} {has}"),
            ("of another shape:", misshaped, "{} is {has} and must be {wants}"),
            ("not of floating-point numbers:", no_floats, "{} is {dtype}"),
            ("with numbers that are not finite:", infinite, "{}"),
        )
        if names
    ]
    if not parts:
        return
    hint = ""
    if {*missing, *misshaped} and {*missing, *misshaped} <= {*head} and not extra:
        hint = (
            "; the file has no head, so ask for 0 classes"
            if missing
            else f"; the file's head has {named[head[0]][1].shape[0]} classes"
        )
    raise UserError(
        f"the tensors are not those of {model} in the names of {library}. {'; '.join(parts)}{hint}"
    )


def _torch_shape(shape: tuple[int, ...], leaf: str) -> tuple[int, ...]:
    """The shape in PyTorch of a variable's shape in Flax."""
    if leaf == "kernel" and len(shape) == 4:
        height, width, channels, outputs = shape
        return outputs, channels, height, width
    return shape[::-1] if leaf == "kernel" else shape


def _text(shape: Sequence[int]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _to_flax(tensor: np.ndarray, shape: tuple[int, ...]) -> jax.Array:
    """A tensor in Flax's layout and float32."""
    if len(shape) == 4:
        tensor = tensor.transpose(2, 3, 1, 0)
    elif len(shape) == 2:
        tensor = tensor.T
    return jnp.asarray(np.ascontiguousarray(tensor, np.float32))
