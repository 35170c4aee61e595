"""Values of a config that change over a stage or follow other values: formulas, written as text.

    0.5                          a number
    alpha                        another value of the config, by its name
    1 - alpha                    arithmetic: + - * / and brackets, min and max of numbers
    cosine(4, 1, finish=5)       a schedule; all times are in epochs of the stage

Names are those of the stage (`epochs`, `learning_rate`) and of the config's top level. Schedules:

    constant(value)
    linear(start, end, begin=0, finish=epochs)
    cosine(start, end, begin=0, finish=epochs)             half a wave
    exponential(start, end, rate, every=1, begin=0)        start * rate^n, never past end
    steps(start, rate, at=(150, 180, 210))                 times rate at each of these epochs

With `warm_up=N`, N epochs of linear growth from 0 to `start` come first, and nothing else changes
before they end.
"""

import ast
import itertools
import operator
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from kdjax.config import ranges
from kdjax.step import schedules
from kdjax.step.types import Range
from kdjax.system.discover import unknown
from kdjax.system.errors import UserError

_POINTS = 40
"""The largest number of epochs at which a formula's values are checked."""
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_CHOICES = {"min": min, "max": max}
_SCHEDULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "constant": (("value",), ()),
    "linear": (("start", "end"), ("begin", "finish")),
    "cosine": (("start", "end"), ("begin", "finish")),
    "exponential": (("start", "end", "rate"), ("every", "begin")),
    "steps": (("start", "rate", "at"), ()),
}
"""The arguments that each kind needs, and those that it may have beside `warm_up`."""


def schedule(
    value: Any, names: Mapping[str, Any], steps_per_epoch: int, key: str
) -> schedules.Schedule:
    """The schedule, in steps, of a number or a formula.

    Args:
        value: the number or the formula's text.
        names: the values of names: numbers, or other formulas; `epochs` is the stage's.
        steps_per_epoch: the stage's.
        key: the config key, for messages.

    Raises:
        UserError: the formula is wrong, or part of it has no effect.
    """
    result = _Reader(names, steps_per_epoch, key).read(value)
    return schedules.Constant(_float32(result)) if isinstance(result, float) else result


def check(value: Any, names: Mapping[str, Any], key: str, allowed: Range) -> None:
    """Makes sure that a number or formula is in its range at every epoch of a stage.

    Raises:
        UserError: at some epoch it is not; names the first.
    """
    in_epochs, epochs = schedule(value, names, 1, key), names["epochs"]
    at = np.linspace(0, epochs, min(epochs, _POINTS) + 1)
    if isinstance(in_epochs, schedules.Constant):
        at, values = np.zeros(1), np.asarray([in_epochs.value])
    else:
        values = np.asarray(jax.vmap(in_epochs.at)(jnp.asarray(at, jnp.float32)))
    # float32 rounds the bounds too.
    low, high = np.float32(allowed.low), np.float32(min(allowed.high, ranges.LARGEST_NUMBER))
    right = (values > low if allowed.open_low else values >= low) & (
        values < high if allowed.open_high else values <= high
    )
    if not right.all():
        first = int(np.argmin(right))
        when = f" at epoch {at[first]:g}" if schedules.moves(in_epochs) else ""
        if value in names:
            key, value = value, names[value]
        shown = "is" if isinstance(value, int | float) else f"({value}) is"
        raise UserError(
            f"config.{key} {shown} {values[first]:.4g}{when}; it must be {ranges.words(allowed)}"
        )


def names_of(config: ConfigDict, stage: ConfigDict) -> dict[str, Any]:
    """The values of the names in a stage's formulas: the stage's own, then the config's."""

    def values(tree: ConfigDict) -> dict[str, Any]:
        return {
            key: value
            for key, value in tree.items()
            if isinstance(value, int | float | str) and not isinstance(value, bool)
        }

    return values(config) | values(stage)


def names_in(value: Any, names: Mapping[str, Any]) -> set[str]:
    """The names that a formula depends on, also through other formulas."""
    dependencies: set[str] = set()
    waiting = [value]
    while waiting:
        text = waiting.pop()
        if not isinstance(text, str):
            continue
        try:
            tree = ast.parse(text, mode="eval")
        except (SyntaxError, ValueError):
            continue
        new = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - dependencies
        dependencies |= new & names.keys()
        waiting += [names[name] for name in new if name in names]
    return dependencies


class _Reader:
    """Reads formulas: the result is a float, or a schedule where it changes over the stage."""

    def __init__(self, names: Mapping[str, Any], steps_per_epoch: int, key: str):
        self._names, self._steps_per_epoch, self._key = names, steps_per_epoch, key
        self._open: list[str] = []
        """The names that are being read, against a name that depends on itself."""

    def read(self, value: Any) -> float | schedules.Schedule:
        """A number or a formula's text."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(float(value))
        if not isinstance(value, str):
            raise self._error(f"{value!r} is no number and no formula")
        try:
            tree = ast.parse(value.strip(), mode="eval")
        except (SyntaxError, ValueError) as error:
            raise self._error(f"{value!r} is no number and no formula") from error
        return self._evaluate(tree.body)

    def _evaluate(self, node: ast.expr) -> float | schedules.Schedule:
        match node:
            case ast.Constant(int() | float() as number) if not isinstance(number, bool):
                return self._number(float(number))
            case ast.Name(name):
                return self._named(name)
            case ast.UnaryOp(ast.USub(), operand):
                return self._combine(ast.Mult, -1.0, self._evaluate(operand))
            case ast.BinOp(left, kind, right) if type(kind) in _OPERATORS:
                return self._combine(type(kind), self._evaluate(left), self._evaluate(right))
            case ast.Call(ast.Name(name), arguments, []) if name in _CHOICES and arguments:
                numbers = [self._constant(argument, f"in {name}") for argument in arguments]
                return _CHOICES[name](numbers)
            case ast.Call(ast.Name(name)) if name in _SCHEDULES:
                return self._schedule(name, node)
            case ast.Call(ast.Name(name)):
                raise self._error(str(unknown("function", name, [*_SCHEDULES, *_CHOICES])))
        raise self._error(f"{ast.unparse(node)!r} is no part of a formula")

    def _named(self, name: str) -> float | schedules.Schedule:
        if name not in self._names:
            numbers = [k for k, v in self._names.items() if isinstance(v, int | float)]
            if name in _SCHEDULES:
                needed = ", ".join(_SCHEDULES[name][0])
                raise self._error(f"{name} is a schedule and needs arguments: {name}({needed})")
            raise self._error(str(unknown("name", name, numbers)))
        if name in self._open:
            raise self._error(f"{name} depends on itself")
        self._open.append(name)
        key, self._key = self._key, name
        try:
            return self.read(self._names[name])
        finally:
            self._key = key
            self._open.pop()

    def _combine(
        self, kind: type, left: float | schedules.Schedule, right: float | schedules.Schedule
    ) -> float | schedules.Schedule:
        if isinstance(left, float) and isinstance(right, float):
            if kind is ast.Div and right == 0:
                raise self._error("it divides by 0")
            return self._number(_OPERATORS[kind](left, right))
        if kind is ast.Div:
            if not isinstance(right, float) or right == 0:
                raise self._error("it divides by a schedule, or by 0")
            kind, right = ast.Mult, 1.0 / right
        if kind is ast.Sub:
            kind, right = ast.Add, self._combine(ast.Mult, -1.0, right)
        node = schedules.Sum if kind is ast.Add else schedules.Product
        return node(_as_schedule(left), _as_schedule(right))

    def _constant(self, node: ast.expr, where: str) -> float:
        value = self._evaluate(node)
        if not isinstance(value, float):
            text = ast.unparse(node)
            raise self._error(f"{text} {where} is a schedule itself; it must be a number there")
        return value

    def _number(self, value: float) -> float:
        if not abs(value) <= ranges.LARGEST_NUMBER:
            raise self._error(
                f"it is {value}; it must be finite, and at most {ranges.LARGEST_NUMBER:g}"
            )
        return value

    def _schedule(self, kind: str, call: ast.Call) -> schedules.Schedule:
        arguments, epochs = self._arguments(kind, call), float(self._names["epochs"])
        warm_up = arguments.get("warm_up", 0.0)
        self._require(0 <= warm_up < epochs, "warm_up", warm_up, f"in [0, {epochs:g})")
        # A warm-up comes first: nothing else changes before it ends.
        begin = max(arguments.get("begin", 0.0), warm_up)
        after = self._after_warm_up(kind, arguments, begin, warm_up, epochs)
        return schedules.WarmUp(self._steps(warm_up), after) if warm_up else after

    def _after_warm_up(
        self, kind: str, arguments: dict[str, Any], begin: float, warm_up: float, epochs: float
    ) -> schedules.Schedule:
        less = f"less than the stage's {epochs:g} epochs"
        if kind == "constant":
            return schedules.Constant(_float32(arguments["value"]))
        start = arguments["start"]
        if kind == "steps":
            at, rate = arguments["at"], arguments["rate"]
            rising = all(a < b for a, b in itertools.pairwise((warm_up, *at, epochs)))
            what = f"rising epochs between {warm_up:g} and the stage's {epochs:g}"
            self._require(rising and at, "at", at, what)
            self._require(rate > 0 and rate != 1, "rate", rate, "greater than 0, and not 1")
            return schedules.Steps(_float32(start), _float32(rate), self._steps(at))
        end = arguments["end"]
        self._require(begin >= 0 and (begin < epochs or start == end), "begin", begin, less)
        if kind == "exponential":
            rate, every = arguments["rate"], arguments.get("every", 1.0)
            self._require(rate > 0, "rate", rate, "greater than 0")
            self._require(every > 0, "every", every, "greater than 0")
            idle = start == end and rate != 1
            self._require(not idle, "end", end, "where the schedule is to stop, not its start")
            values = (_float32(start), _float32(end), _float32(rate))
            return schedules.Exponential(*values, self._steps(every), self._steps(begin))
        finish = arguments.get("finish", epochs)
        self._require(finish >= begin, "finish", finish, f"{begin:g} or later, where it begins")
        line = schedules.Linear if kind == "linear" else schedules.Cosine
        return line(_float32(start), _float32(end), self._steps(begin), self._steps(finish))

    def _arguments(self, kind: str, call: ast.Call) -> dict[str, Any]:
        """The arguments of a schedule by name, as numbers; `at` is a tuple of them."""
        needed, optional = _SCHEDULES[kind]
        known = (*needed, *optional, "warm_up")
        nodes = dict(zip(known, call.args, strict=False))
        for keyword in call.keywords:
            if keyword.arg not in known:
                raise unknown(f"argument of {kind} in config.{self._key}", str(keyword.arg), known)
            if keyword.arg in nodes:
                raise self._error(f"{keyword.arg} of {kind} comes twice")
            nodes[keyword.arg] = keyword.value
        missing = [name for name in needed if name not in nodes]
        if missing:
            raise self._error(f"{ast.unparse(call)} lacks {', '.join(missing)}")
        if len(call.args) > len(known):
            raise self._error(f"{kind} takes {', '.join(known)}, and no more")
        arguments: dict[str, Any] = {}
        for name, node in nodes.items():
            if name == "at":
                parts = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
                arguments[name] = tuple(self._constant(part, f"as {name}") for part in parts)
            else:
                arguments[name] = self._constant(node, f"as {name} of {kind}")
        return arguments

    def _steps(self, epochs: Any) -> Any:
        return _float32(np.asarray(epochs, np.float64) * self._steps_per_epoch)

    def _require(self, holds: object, name: str, value: object, what: str) -> None:
        if not holds:
            raise self._error(f"{name} is {value}; it must be {what}")

    def _error(self, problem: str) -> UserError:
        return UserError(f"config.{self._key}: {problem}")


def _as_schedule(value: float | schedules.Schedule) -> schedules.Schedule:
    return schedules.Constant(_float32(value)) if isinstance(value, float) else value


def _float32(value: Any) -> Any:
    return np.asarray(value, np.float32)
