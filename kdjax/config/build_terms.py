"""From a config's terms to the functions and the values of their hyper-parameters."""

import inspect
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from kdjax.step.types import Range, Task, Term
from kdjax.system import discover, errors
from kdjax.system.errors import UserError

_WEIGHT = Range()


def term(entry: Mapping[str, Any], task: Task, key: str) -> tuple[Term, dict[str, Any]]:
    """A term, and its weight and other hyper-parameters, as numbers or formulas.

    Args:
        entry: the term's part of the config: `kind`, `weight`, the arguments of the term's `make`,
            and the hyper-parameters that the term names in `Term.hyper`.
        task: the data set's.
        key: the config key of the entry, as `stages.student.terms.soft`.

    Raises:
        UserError: the entry does not fit the term.
    """
    where = f"config.{key}"
    for needed in ("kind", "weight"):
        if needed not in entry:
            raise UserError(f"{where} has no {needed}")
    kind = entry["kind"]
    make = discover.module("kdjax.terms", kind, f"kind of term in {where}", function="make").make
    wiring, values = _separate(entry, make)
    try:
        result = make(task=task, **wiring)
    except TypeError as error:
        own = "." in kind and not errors.own_frames(error)
        place = f"{errors.place(make)}: " if own else ""
        raise UserError(
            f"{place}{where}, a {kind}, does not fit: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(result, Term):
        raise UserError(f"{errors.place(make)}: make returns no Term for {where}, a {kind}")
    for name in values:
        if name not in ("weight", *result.hyper):
            arguments = {*inspect.signature(make).parameters} - {"task"}
            known = [*arguments, "weight", *result.hyper]
            raise discover.unknown(f"key in {where}, a {kind},", name, known)
    for name in result.hyper:
        if name not in values:
            raise UserError(f"{where} has no {name}, which a {kind} needs")
    repeated = sorted({name for name in result.reads if result.reads.count(name) > 1})
    if repeated:
        raise UserError(f"{where} names {repeated[0]!r} twice")
    return result, values


def allowed(term: Term, name: str) -> Range:
    """The range of a term's hyper-parameter."""
    return _WEIGHT if name == "weight" else term.hyper[name]


def hyper_parameters(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers and formulas of a term's entry, by name; a wrong entry has none."""
    try:
        make = discover.module("kdjax.terms", entry["kind"], "kind of term", function="make").make
    except (UserError, KeyError):
        return {}
    return _separate(entry, make)[1]


def _separate(entry: Mapping[str, Any], make: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a term's `make`, and the other values: its hyper-parameters."""
    arguments = inspect.signature(make).parameters
    rest = {key: value for key, value in values(entry).items() if key != "kind"}
    wiring = {key: rest.pop(key) for key in list(rest) if key in arguments}
    return wiring, rest


def values(config: Mapping[str, Any] | ConfigDict) -> dict[str, Any]:
    """Keys and values; a config read back from JSON has lists in place of tuples."""
    return {key: tuple(x) if isinstance(x, list) else x for key, x in config.items()}
