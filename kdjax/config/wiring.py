"""Whether stages, networks and terms fit together: checked on shapes, before any training."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from kdjax.config.plan import Restored, Stage
from kdjax.data.types import DataSet
from kdjax.step.step import check_loss
from kdjax.step.types import (
    Array,
    Batch,
    Context,
    NetState,
    Network,
    Outputs,
    PyTree,
    StageCode,
    Term,
    TrainingSet,
)
from kdjax.system import discover, errors
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError


def check(
    stages: Sequence[Stage],
    restored: Mapping[str, Restored],
    models: Mapping[str, str],
    classes: Mapping[str, int],
    data: DataSet,
) -> None:
    """Makes sure that stages, networks and terms fit together; in the order of the stages.

    Args:
        stages: the run's stages, for one member.
        restored: the networks that come from other runs.
        models: the model's name of every network, for messages.
        classes: the number of classes of every network.
        data: the run's data set.

    Raises:
        UserError: the first thing that does not fit.
    """
    label = data.splits["train"].label
    two_labels = jax.ShapeDtypeStruct((2, *label.shape[1:]), label.dtype)
    _check_order(stages, tuple(restored))
    for stage in stages:
        shapes = {
            name: _trace(name, network, models[name], classes[name])
            for name, network in stage.code.networks.items()
        }
        _check_starts(stage, models)
        _check_only(stage.code, shapes)
        _check_terms(stage, shapes, data.image_shape, two_labels)
        headless = [name for name in stage.code.trained if not classes[name]]
        can_select = stage.select == "best" and "validation" in data.splits
        if can_select and 0 < len(headless) < len(stage.code.trained):
            raise UserError(
                f"stage {stage.name!r} selects networks on validation, and {headless[0]!r} has no "
                f"last layer to validate: set config.stages.{stage.name}.select=last"
            )


Shapes = Mapping[str, tuple[NetState, Outputs]]
"""The shapes of each network's variables, and of its outputs on two images."""


def _check_order(stages: Sequence[Stage], restored: Sequence[str]) -> None:
    """Makes sure that networks that a stage reads or starts from are trained before it."""
    trained_by = dict.fromkeys(restored, "")
    for stage in stages:
        names = f"networks so far: {', '.join(sorted(trained_by)) or 'none'}"
        for name in stage.code.frozen:
            if name not in trained_by:
                raise UserError(
                    f"stage {stage.name!r} reads network {name!r}, which no earlier stage trains; "
                    f"{names}. One from another run: --config.networks.{name}.workdir=DIR"
                )
        for name, start in stage.init_from.items():
            if name not in stage.code.trained:
                what = f"trained network in init_from of stage {stage.name!r}"
                raise unknown(what, name, stage.code.trained)
            if start not in trained_by:
                raise UserError(
                    f"stage {stage.name!r} starts {name!r} from {start!r}, which no earlier stage "
                    f"trains; {names}"
                )
        for name in stage.code.trained:
            if name in trained_by and name not in stage.init_from:
                before = f"stage {trained_by[name]!r}" if trained_by[name] else "another run"
                raise UserError(
                    f"stage {stage.name!r} trains {name!r}, which {before} has trained already: "
                    f"init_from={{{name!r}: {name!r}}} goes on from there"
                )
            trained_by[name] = stage.name


def _trace(name: str, network: Network, model: str, classes: int) -> tuple[NetState, Outputs]:
    image = jax.ShapeDtypeStruct((2, *network.image_shape), jnp.float32)
    h, w, c = network.image_shape
    misfit = f"network {name!r} ({model}) does not fit images of {h} x {w} x {c}"
    try:
        state = jax.eval_shape(lambda: network.init(jax.random.key(0)))
        outputs = jax.eval_shape(lambda s, x: network.apply(s, x, train=False)[0], state, image)
        if outputs.logits.shape != (2, classes):
            raise ValueError(
                f"its logits are {outputs.logits.shape} for two images; with {classes} classes or "
                f"attributes they must be (2, {classes})"
            )
    except (ValueError, TypeError, ZeroDivisionError) as error:
        if not errors.own_frames(error) and discover.is_own(model):
            # The user's code ran to its end, but returned a wrong result.
            misfit = f"{errors.place(discover.model(model))}: {misfit}"
        raise UserError(f"{misfit}: {' '.join(str(error).split())[:200]}") from error
    if 0 in [leaf.size for leaf in jax.tree.leaves(outputs.features)]:
        raise UserError(f"{misfit}: a map vanishes")
    return state, outputs


def _check_starts(stage: Stage, models: Mapping[str, str]) -> None:
    for name, start in stage.init_from.items():
        if models[name] != models[start]:
            raise UserError(
                f"stage {stage.name!r} starts {name!r} ({models[name]}) from {start!r} "
                f"({models[start]}): it needs a network of the same model"
            )


def _check_only(code: StageCode, shapes: Shapes) -> None:
    for name, layers in code.only.items():
        if name not in code.trained:
            raise unknown("trained network in a stage's only", name, code.trained)
        for layer in layers:
            if layer not in shapes[name][0].params:
                raise unknown(f"layer of network {name!r}", layer, shapes[name][0].params)


def _check_terms(
    stage: Stage,
    shapes: Shapes,
    image_shape: tuple[int, int, int],
    label: jax.ShapeDtypeStruct,
) -> None:
    """Initialises and computes every term, in shapes alone: wrong layers raise here."""
    scalar = jax.ShapeDtypeStruct((), jnp.float32)
    image = jax.ShapeDtypeStruct((2, *image_shape), jnp.float32)
    index = jax.ShapeDtypeStruct((2,), jnp.int32)
    mask = jax.ShapeDtypeStruct((2,), jnp.float32)
    parts: Any = image, label, index, mask
    batch = Batch(*parts)
    outputs = {name: network_outputs for name, (_, network_outputs) in shapes.items()}
    code = stage.code
    params: dict[str, PyTree] = {name: shapes[name][0].params for name in code.trained}
    for name, term in code.terms.items():
        where = f"term {name!r} of stage {stage.name!r}"
        if not set(term.teaches) & set(code.trained):
            raise UserError(
                f"{where} teaches {' and '.join(term.teaches)}, which the stage does not train; it "
                f"trains {', '.join(code.trained)}"
            )
        hyper = dict.fromkeys(stage.hyper.terms[name], scalar)
        try:
            jax.eval_shape(
                functools.partial(_value, term, code.training_set), batch, outputs, params, hyper
            )
        except KeyError as error:
            raise UserError(f"{where} needs {error}, which does not exist") from error
        except (ValueError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{where} does not fit: {reason}") from error
        except UserError as error:
            raise UserError(f"{where}: {error}") from error


def _value(
    term: Term,
    training_set: TrainingSet,
    batch: Batch,
    outputs: PyTree,
    params: PyTree,
    hyper: PyTree,
) -> Array:
    key = jax.random.key(0)
    context = Context(batch, outputs, params, hyper, jnp.int32(0), key)
    state = term.init(key, outputs, training_set)
    loss = term.loss(state, context)
    check_loss(term, loss, state.memory, batch.mask.shape)
    return loss.value
