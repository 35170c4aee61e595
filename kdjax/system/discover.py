"""Finds terms, data sources and networks by the names of their modules: nothing to register.

A name with a dot more than ours have is a module of the user's own, anywhere on the path.
"""

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from kdjax.system import errors
from kdjax.system.errors import UserError


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """One line: what is unknown, the nearest name, and all names."""
    known = sorted(known)
    # The last part of a name, too, leads to the whole: `resnet20` to `cifar_resnet.resnet20`.
    whole = {one.rpartition(".")[2]: one for one in known} | {one: one for one in known}
    near = difflib.get_close_matches(name, whole, n=1)
    hint = f" Did you mean {whole[near[0]]!r}?" if near else ""
    return UserError(f"unknown {what} {name!r}.{hint} There are: {', '.join(known)}")


def names(package: str) -> list[str]:
    """The modules of a package."""
    return [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def module(package: str, name: str, what: str, *, function: str = "") -> ModuleType:
    """The module `name` of `package`; with a dot in it, the user's own module of that full name.

    Raises:
        UserError: there is none; names those that there are. Or it lacks `function`.
    """
    if "." in name:
        found = _own(name, what)
        if function and not hasattr(found, function):
            raise UserError(f"{found.__file__} has no function {function}: {what} needs it")
        return found
    known = names(package)
    if name not in known:
        raise unknown(what, name, known)
    return importlib.import_module(f"{package}.{name}")


def _own(name: str, what: str) -> ModuleType:
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
    """Whether a network's name is that of a model of the user's own."""
    return name.count(".") > 1


def model(name: str) -> Callable[..., Any]:
    """The function behind a network's name, as `six_conv.student`, or `<package>.<file>.<function>`
    of the user's own.

    Raises:
        UserError: there is no such file or function.
    """
    file, _, _ = name.rpartition(".")
    if is_own(name):
        own = _own(file, "model")
        _require_parameters(own, name)
        known = _models(own, file)
    else:
        known = {}
        for family in names("kdjax.models"):
            known |= _models(importlib.import_module(f"kdjax.models.{family}"), family)
    if name not in known:
        raise unknown("model", name, known)
    return known[name]


def _require_parameters(file: ModuleType, name: str) -> None:
    """That a function of the user's own, where there is one of that name, takes what models take.

    Raises:
        UserError: it does not.
    """
    function = vars(file).get(name.rpartition(".")[2])
    if not inspect.isfunction(function) or function.__module__ != file.__name__:
        return
    lacking = {"classes", "dropout"} - inspect.signature(function).parameters.keys()
    if lacking:
        raise UserError(
            f"{errors.place(function)}: model {name} must take {' and '.join(sorted(lacking))}, as "
            f"def {function.__name__}(*, classes, dropout=0.0)"
        )


def _models(file: ModuleType, name: str) -> dict[str, Callable[..., Any]]:
    """The functions of a file that make networks, by their whole names."""
    return {
        f"{name}.{key}": value
        for key, value in vars(file).items()
        if inspect.isfunction(value)
        and value.__module__ == file.__name__
        and "classes" in inspect.signature(value).parameters
        and not key.startswith("_")
    }
