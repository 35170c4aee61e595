"""The config that `--config` names: one of kdjax's own by its name, or any file by its path."""

import difflib
import importlib.util
import inspect
import re
import sys
import traceback
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from kdjax.system import discover, errors
from kdjax.system.errors import UserError

_FOLDER = Path(__file__).parents[2] / "configs"
_NO_CONFIGS = ("base", "datasets", "parts", "recipes")
"""Modules of `configs` that are no configs themselves."""
_KINDS: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a text",
    tuple: "a tuple",
    ConfigDict: "keys of its own",
}
"""What a key of a type takes, in words."""
_OVERRIDE = re.compile(r"--?(?:no)?config\.([\w.]+)(?:=|$)")


class _NumberOrText(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, int | float | str)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, int | float | str) or super().__subclasscheck__(kind)


class Formula(metaclass=_NumberOrText):
    """The type of a key that holds a number or a formula's text (`kdjax.config.formulas`)."""


def use_packaged_configs() -> None:
    """Makes `configs` the package beside `kdjax`: a user's own folder may have the same name."""
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
    """The configs that kdjax brings."""
    return [name for name in discover.names("configs") if name not in _NO_CONFIGS]


def load(argument: str) -> ConfigDict:
    """What `get_config` of a config file returns, locked.

    Args:
        argument: a name or a path, then a colon and what `get_config` takes, as `dml:mnist`.

    Raises:
        UserError: there is no such file, it fails, or it returns no whole config.
    """
    name, colon, text = argument.partition(":")
    path = _find(name)
    given = [text] if colon else []
    try:
        get_config = _execute(path).get("get_config")
        if not callable(get_config):
            raise UserError(f"{path} has no function get_config")
        place = errors.place(get_config)
        _require_fit(get_config, given, place)
        config = get_config(*given)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        words = _refusal(error) or f"--config={argument}: {errors.describe(error)}"
        raise UserError(words) from error
    begin = "begin with configs.base.get_config(method=..., dataset=...), as configs/kd.py does"
    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise UserError(f"{place}: get_config returns {kind}, where it takes a ConfigDict; {begin}")
    missing = _missing(config)
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        lacks = f"{', '.join(missing[:5])}{more}"
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


def _require_fit(get_config: Any, given: Sequence[str], place: str) -> None:
    try:
        inspect.signature(get_config).bind(*given)
    except TypeError as error:
        what = "takes nothing after a colon" if given else "needs a text after a colon"
        raise UserError(f"{place}: get_config {what}: {error}") from error


def _missing(config: ConfigDict) -> list[str]:
    """Keys, with their paths, that a config, its networks, stages or terms lack."""
    from configs import base, parts

    whole = base.get_config(method="", dataset="digits")
    missing = [*_lacking(whole, config, "config")]
    if missing:
        return missing
    network, stage = parts.network(model=""), parts.stage(whole, train=(), terms={})
    term = ConfigDict(dict(kind="", weight=0.0))
    for name, there in config.networks.items():
        missing += _lacking(network, there, f"config.networks.{name}")
    for name, there in config.stages.items():
        missing += _lacking(stage, there, f"config.stages.{name}")
    if missing:
        return missing
    for name, holder in config.stages.items():
        for key, there in holder.terms.items():
            missing += _lacking(term, there, f"config.stages.{name}.terms.{key}")
    return missing


def _lacking(wanted: ConfigDict, there: Any, path: str) -> Iterator[str]:
    if not isinstance(there, ConfigDict):
        yield f"keys of its own in {path}"
        return
    for key, value in wanted.items():
        if key not in there:
            yield f"{path}.{key}"
        elif isinstance(value, ConfigDict):
            yield from _lacking(value, there[key], f"{path}.{key}")


def _refusal(error: BaseException) -> str:
    """In words of our own, what a `ConfigDict` refuses in a config file, or nothing.

    Its own messages hold all that it has.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    inner = frames[-1].f_locals
    holder, key = inner.get("self"), inner.get("key", inner.get("attribute"))
    if not isinstance(holder, ConfigDict) or not isinstance(key, str):
        return ""
    path = max((path for frame in frames for path in _paths(frame, holder)), key=len)
    if isinstance(error, TypeError) and key in holder and "value" in inner:
        return f"{path}.{key} takes {_kind(holder[key])}, not {inner['value']!r}"
    if isinstance(error, AttributeError | KeyError) and key not in holder:
        return _no_key(holder, path, key)
    return ""


def _paths(frame: types.FrameType, holder: ConfigDict) -> Iterator[str]:
    """The paths of `holder` below the configs that a function's names stand for."""

    def below(root: ConfigDict, path: str) -> Iterator[str]:
        if root is holder:
            yield path
        for key, value in root.items():
            if isinstance(value, ConfigDict):
                yield from below(value, f"{path}.{key}")

    for value in frame.f_locals.values():
        if isinstance(value, ConfigDict):
            yield from below(value, "config")


def _kind(value: object) -> str:
    """What a key of this value takes, in words."""
    return _KINDS.get(type(value), f"a {type(value).__name__}")


def _no_key(holder: ConfigDict, path: str, part: str) -> str:
    near = difflib.get_close_matches(part, holder, n=1)
    known = f"did you mean {path}.{near[0]}?" if near else f"there are: {', '.join(holder)}"
    return f"{path}.{part}: there is no such key; {known}"


def override_problem(config: ConfigDict, key: str, value: str) -> str:
    """Why a key cannot have the value that the command line gives it, where its type is why."""
    holder: Any = config
    for part in key.split("."):
        holder = holder[part]
    return f"--config.{key} takes {_kind(holder)}, not {value}"


def check_overrides(config: ConfigDict, arguments: Iterable[str]) -> None:
    """That every `--config.KEY` among the arguments names a key of the config.

    Raises:
        UserError: one of them does not.
    """
    for argument in arguments:
        if found := _OVERRIDE.match(argument):
            require_key(config, found[1])


def require_key(config: ConfigDict, key: str) -> None:
    """That a config has a dotted key.

    Raises:
        UserError: it does not; names the nearest that it has.
    """
    holder, path = config, "config"
    for part in key.split("."):
        if not isinstance(holder, ConfigDict):
            kind = type(holder).__name__
            raise UserError(f"config.{key}: {path} is a {kind}, which has no keys of its own")
        if part not in holder:
            raise UserError(_no_key(holder, path, part))
        holder, path = holder[part], f"{path}.{part}"
