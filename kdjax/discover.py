"""Finds terms, data sources and networks by the names of their modules: nothing to register."""

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
    """The module `name` of `package`.

    Raises:
        UserError: there is none; names those that there are, but for `without`.
    """
    known = [other for other in names(package) if other not in without]
    if name not in known:
        raise unknown(what, name, known)
    return importlib.import_module(f"{package}.{name}")


def model(name: str) -> Callable[..., Any]:
    """The function behind a network's name, as `six_conv.student`.

    Raises:
        UserError: there is no such file or function.
    """
    family, _, function = name.partition(".")
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
