"""Finds terms, data sources and networks by the names of their modules: nothing to register.

A name with one more dot than the built-in names have is a module of the user's own, anywhere on
Python's path.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from kdjax.system import errors
from kdjax.system.errors import UserError


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """An error of one line: the unknown name, the nearest known name, and all known names."""
    known = sorted(known)
    # The last part of a name is near to the full name too: `resnet20` to `cifar_resnet.resnet20`.
    full_names = {full.rpartition(".")[2]: full for full in known} | {full: full for full in known}
    near = errors.nearest(name, full_names)
    hint = f" Did you mean {full_names[near]!r}?" if near else ""
    return UserError(f"unknown {what} {name!r}.{hint} There are: {', '.join(known)}")


def names(package: str) -> list[str]:
    """The names of a package's modules, without its sub-packages."""
    path = importlib.import_module(package).__path__
    return [module.name for module in pkgutil.iter_modules(path) if not module.ispkg]


def module(package: str, name: str, what: str, *, function: str = "") -> ModuleType:
    """The module `name` of `package`, or the user's own module where `name` has a dot.

    The user's own module must have the `function`. Messages call the module a `what`.

    Raises:
        UserError: there is no such module, or it lacks `function`.
    """
    if "." in name:
        own = _own_module(name, what)
        if function and not hasattr(own, function):
            raise UserError(f"{own.__file__} has no function {function}: {what} needs it")
        return own
    known = names(package)
    if name not in known:
        raise unknown(what, name, known)
    return importlib.import_module(f"{package}.{name}")


def _own_module(name: str, what: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UserError(f"unknown {what} {name!r}: <folder>.<file> is the form of a module's name")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise UserError(
            f"unknown {what} {name!r}: there is no module {error.name!r} on the path (PYTHONPATH)"
        ) from error


def is_own(name: str) -> bool:
    """Whether a network's name is that of the user's own model."""
    return name.count(".") > 1


def model(name: str) -> Callable[..., Any]:
    """The function behind a network's name.

    The name is `<file>.<function>` in `kdjax/models`, as `six_conv.student`, or
    `<package>.<file>.<function>` of the user's own.

    Raises:
        UserError: there is no such file or function, or the user's own function lacks a parameter.
    """
    if is_own(name):
        file = name.rpartition(".")[0]
        functions = _functions(_own_module(file, "model"), file)
        if name in functions:
            _require_parameters(functions[name], name)
    else:
        functions = _zoo()
    known = _models_among(functions)
    if name not in known:
        raise unknown("model", name, known)
    return known[name]


def models() -> list[str]:
    """The names of all networks in `kdjax/models`."""
    return [*_models_among(_zoo())]


def _zoo() -> dict[str, Callable[..., Any]]:
    functions: dict[str, Callable[..., Any]] = {}
    for family in names("kdjax.models"):
        functions |= _functions(importlib.import_module(f"kdjax.models.{family}"), family)
    return functions


def _models_among(functions: Mapping[str, Callable[..., Any]]) -> dict[str, Callable[..., Any]]:
    return {
        full_name: function
        for full_name, function in functions.items()
        if "classes" in inspect.signature(function).parameters
    }


def _functions(file: ModuleType, prefix: str) -> dict[str, Callable[..., Any]]:
    """The public functions and partial objects of a file, by their names below `prefix`."""
    return {
        f"{prefix}.{key}": value
        for key, value in vars(file).items()
        if isinstance(value, partial | FunctionType)
        and value.__module__ in (file.__name__, partial.__module__)
        and not key.startswith("_")
    }


def _require_parameters(function: Callable[..., Any], name: str) -> None:
    lacking = {"classes", "dropout"} - inspect.signature(function).parameters.keys()
    if lacking:
        raise UserError(
            f"{errors.place(function)}: model {name} must take {' and '.join(sorted(lacking))}, as "
            f"def {name.rpartition('.')[2]}(*, classes, dropout=0.0)"
        )
