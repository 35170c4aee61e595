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

from kdjax.errors import UserError


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """One line: what is unknown, the nearest name, and all names."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UserError(f"unknown {what} {name!r}.{hint} There are: {', '.join(known)}")


def names(package: str) -> list[str]:
    """The modules of a package."""
    return [m.name for m in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def module(package: str, name: str, what: str, *, without: tuple[str, ...] = ()) -> ModuleType:
    """The module `name` of `package`; with a dot in it, the user's own module of that full name.

    Raises:
        UserError: there is none; names those that there are, but for `without`.
    """
    if "." in name:
        return _own(name, what)
    known = [other for other in names(package) if other not in without]
    if name not in known:
        raise unknown(what, name, known)
    return importlib.import_module(f"{package}.{name}")


def _own(name: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise UserError(
            f"unknown {what} {name!r}: there is no module {error.name!r} on the path (PYTHONPATH)"
        ) from error


def model(name: str) -> Callable[..., Any]:
    """The function behind a network's name, as `six_conv.student`, or `<package>.<file>.<function>`
    of the user's own.

    Raises:
        UserError: there is no such file or function.
    """
    family, _, function = name.rpartition(".") if name.count(".") > 1 else name.partition(".")
    found = module("kdjax.models", family, "model family", without=("linen",))
    functions = {
        key: value
        for key, value in vars(found).items()
        if inspect.isfunction(value)
        and value.__module__ == found.__name__
        and "classes" in inspect.signature(value).parameters
        and not key.startswith("_")
    }
    if function not in functions:
        raise unknown("model", name, [f"{family}.{key}" for key in functions])
    return functions[function]
