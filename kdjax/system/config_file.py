"""Loads the config that `--config` names: by its name, or any file by its path."""

import importlib.util
import inspect
import re
import sys
import traceback
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from kdjax.system import discover, errors
from kdjax.system.errors import UserError

_FOLDER = Path(__file__).parents[2] / "configs"
_NOT_CONFIGS = ("base", "datasets", "parts", "recipes")
"""Modules of `configs` that other configs use."""
_KINDS: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    tuple: "a tuple",
    ConfigDict: "keys of its own",
}
"""The values that a key of each type takes, in words."""
_ANY = "*"
"""A key that stands for every key of its parent."""
_OVERRIDE = re.compile(r"--?(?:no)?config\.([\w.]+)(?:=|$)")


class _NumberOrText(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, int | float | str)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, int | float | str) or super().__subclasscheck__(kind)


class Formula(metaclass=_NumberOrText):
    """The type of a key that holds a number or a formula's text (`kdjax.config.formulas`)."""


def use_packaged_configs() -> None:
    """Makes `configs` the package beside `kdjax`, even if the user's folder has that name too."""
    present = getattr(sys.modules.get("configs"), "__file__", None)
    if present and Path(present).parent == _FOLDER:
        return
    for name in [name for name in sys.modules if f"{name}.".startswith("configs.")]:
        del sys.modules[name]
    spec = importlib.util.spec_from_file_location("configs", _FOLDER / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules["configs"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


def names() -> list[str]:
    """The names of kdjax's configs."""
    return [name for name in discover.names("configs") if name not in _NOT_CONFIGS]


def load(argument: str) -> ConfigDict:
    """The config that a file's `get_config` returns, locked.

    Args:
        argument: a name or a path, then perhaps a colon and the argument of `get_config`, as
            `dml:mnist`.

    Raises:
        UserError: there is no such file, it fails, or it returns no complete config.
    """
    name, colon, text = argument.partition(":")
    path = _find(name)
    arguments = [text] if colon else []
    try:
        get_config = _execute(path).get("get_config")
        if not callable(get_config):
            raise UserError(f"{path} has no function get_config")
        place = errors.place(get_config)
        try:
            inspect.signature(get_config).bind(*arguments)
        except TypeError as error:
            what = "takes nothing after a colon" if arguments else "needs a text after a colon"
            raise UserError(f"{place}: get_config {what}: {error}") from error
        config = get_config(*arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        words = _explain(error) or f"--config={argument}: {errors.describe(error)}"
        raise UserError(words) from error
    begin = "begin with configs.base.get_config(method=..., dataset=...), as configs/kd.py does"
    if not isinstance(config, ConfigDict):
        returned = type(config).__name__
        raise UserError(
            f"{place}: get_config returns {returned}, where it takes a ConfigDict; {begin}"
        )
    if missing := _missing(config):
        lacks = errors.listed(missing, 5)
        raise UserError(f"{place}: the config of get_config has no {lacks}; {begin}")
    return config.lock()


def _find(name: str) -> Path:
    path = Path(name).expanduser()
    if name in names():
        return _FOLDER / f"{name}.py"
    if path.is_file():
        return path
    if name.isidentifier():
        raise discover.unknown("config", name, names())
    raise UserError(
        f"--config={name}: there is no such file; configs that kdjax brings are named without a "
        f"path, as --config=dml: {', '.join(sorted(names()))}"
    )


def _execute(path: Path) -> dict[str, Any]:
    """The names that a file defines."""
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    # Dataclasses look up the module that they are in.
    sys.modules["kdjax_config"] = module = types.ModuleType("kdjax_config")
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec"), vars(module))
    return vars(module)


def _missing(config: ConfigDict) -> list[str]:
    """Keys, with their paths, that a config, its networks, stages or terms lack."""
    from configs import base, parts

    needed = base.get_config(method="", dataset="digits")
    terms = {_ANY: ConfigDict(dict(kind="", weight=0.0))}
    needed.networks[_ANY] = parts.network(model="")
    needed.stages[_ANY] = parts.stage(needed, train=(), terms=terms)
    return [*_lacking(needed, config, "config")]


def _lacking(needed: ConfigDict, present: Any, path: str) -> Iterator[str]:
    if not isinstance(present, ConfigDict):
        yield f"keys of its own in {path}"
        return
    for key, value in needed.items():
        for name in present if key == _ANY else [key]:
            if name not in present:
                yield f"{path}.{name}"
            elif isinstance(value, ConfigDict):
                yield from _lacking(value, present[name], f"{path}.{name}")


def _explain(error: BaseException) -> str:
    """An error that a `ConfigDict` raised in a config file, in words; empty for other errors.

    A `ConfigDict`'s own message contains all its keys and values.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    variables = frames[-1].f_locals
    holder, key = variables.get("self"), variables.get("key", variables.get("attribute"))
    if not isinstance(holder, ConfigDict) or not isinstance(key, str):
        return ""
    configs = [
        value
        for frame in frames
        for value in frame.f_locals.values()
        if isinstance(value, ConfigDict)
    ]
    path = max((path for config in configs for path in _paths(config, holder)), key=len)
    if isinstance(error, TypeError) and key in holder and "value" in variables:
        return f"{path}.{key} takes {kind(holder[key])}, not {variables['value']!r}"
    if isinstance(error, AttributeError | KeyError) and key not in holder:
        return _no_key(holder, path, key)
    return ""


def _paths(config: ConfigDict, holder: ConfigDict, path: str = "config") -> Iterator[str]:
    """The paths of `holder` below `config`."""
    if config is holder:
        yield path
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            yield from _paths(value, holder, f"{path}.{key}")


def kind(value: object) -> str:
    """The values that a key with this value takes, in words."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def _no_key(holder: ConfigDict, path: str, part: str) -> str:
    near = errors.nearest(part, holder)
    known = f"did you mean {path}.{near}?" if near else f"there are: {', '.join(holder)}"
    return f"{path}.{part}: there is no such key; {known}"


def check_overrides(config: ConfigDict, arguments: Iterable[str]) -> None:
    """Checks that every `--config.KEY` among the arguments names a key of the config.

    Raises:
        UserError: there is no such key.
    """
    for argument in arguments:
        if match := _OVERRIDE.match(argument):
            require_key(config, match[1])


def require_key(config: ConfigDict, key: str) -> None:
    """Checks that a config has a dotted key.

    Raises:
        UserError: it does not; the message names the nearest key.
    """
    holder, path = config, "config"
    for part in key.split("."):
        if not isinstance(holder, ConfigDict):
            raise UserError(
                f"config.{key}: {path} is a {type(holder).__name__}, which has no keys of its own"
            )
        if part not in holder:
            raise UserError(_no_key(holder, path, part))
        holder, path = holder[part], f"{path}.{part}"
