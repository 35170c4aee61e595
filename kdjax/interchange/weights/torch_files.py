"""Reads tensors from files of `torch.save`, without PyTorch and without running their pickles.

A pickle is a program. Here a small interpreter runs the instructions that tensors need, and knows
nothing but the names of `_FUNCTIONS` and `DTYPES`; any other name or instruction is an error.
Both formats are read: the zip archive (PyTorch 1.6 and later), and the older sequence of pickles
with the storages behind them.
"""

import io
import math
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from kdjax.system.errors import UserError

DTYPES: dict[str, Any] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}
"""PyTorch's classes of storages."""
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
SAVE_TENSORS = "save the tensors alone: torch.save(model.state_dict(), FILE)"
"""What to do about a file with other objects."""


class _Name(NamedTuple):
    """A name that a pickle may refer to; it has no function behind it."""

    text: str


class _Storage(NamedTuple):
    """One storage, which several tensors may share."""

    key: str
    dtype: Any
    size: int
    """The number of values."""
    offset: int = 0
    """The place of the first value in the storage `key`; only views of PyTorch 0.3 have one."""


class Tensor(NamedTuple):
    """A tensor as a part of a storage; shape, offset and strides count values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Damaged(Exception):
    """A file that does not hold what it says; the message goes on after the file's name."""


def read_zip(path: Path, archive: zipfile.ZipFile) -> tuple[Any, Callable[[Tensor], np.ndarray]]:
    """The object of a zip archive of `torch.save`, and a function that reads one of its tensors.

    The function raises a ValueError where the file does not hold the tensor.

    Raises:
        UserError: the file is damaged, or holds more than tensors and plain values.
    """
    names = set(archive.namelist())
    (pickle,) = (name for name in names if is_pickle(name))
    root = pickle.removesuffix("data.pkl")
    if f"{root}constants.pkl" in names:
        raise UserError(f"{path} is a program of TorchScript; {SAVE_TENSORS}")
    order = "<"
    if f"{root}byteorder" in names:
        order = ">" if archive.read(f"{root}byteorder") == b"big" else "<"
    try:
        value = _run(io.BytesIO(archive.read(pickle)))
    except _Damaged as error:
        raise UserError(f"{path} {error}") from error
    storages: dict[str, bytes] = {}

    def tensor(part: Tensor) -> np.ndarray:
        key = part.storage.key
        if key not in storages:
            if f"{root}data/{key}" not in names:
                raise ValueError("the file lacks its values")
            storages[key] = archive.read(f"{root}data/{key}")
        return _array(part, storages[key], order)

    return value, tensor


def is_pickle(name: str) -> bool:
    """Whether a file of a zip archive is the pickle of `torch.save`."""
    return name.count("/") == 1 and name.endswith("/data.pkl")


def is_sequence(start: bytes) -> bool:
    """Whether a file that starts so is a sequence of pickles of `torch.save`."""
    magic = _MAGIC.to_bytes(10, "little")
    return start[:1] == b"\x80" and start[2:14] == b"\x8a\x0a" + magic


def read_sequence(path: Path) -> tuple[Any, Callable[[Tensor], np.ndarray]]:
    """The object of a file of the older format, and a function that reads one of its tensors.

    The function raises a ValueError where the file does not hold the tensor.

    Raises:
        UserError: the file is damaged, or holds more than tensors and plain values.
    """
    content = path.read_bytes()
    file = io.BytesIO(content)
    sizes: dict[str, int] = {}
    try:
        _run(file)
        if (protocol := _run(file)) != _PROTOCOL:
            raise _Damaged(f"has version {protocol!r} of PyTorch's format; {_PROTOCOL} is read")
        system = _run(file)
        value = _run(file, sizes)
        keys = _run(file)
    except _Damaged as error:
        raise UserError(f"{path} {error}") from error
    if not (isinstance(system, dict) and isinstance(keys, list)):
        raise UserError(f"{path} is damaged: its lists of storages cannot be read")
    order = "<" if system.get("little_endian", True) else ">"
    # Storages follow one another: the number of values, in 8 bytes, then the values.
    starts: dict[str, int] = {}
    end = file.tell()
    for key in keys:
        if key not in sizes:
            raise UserError(f"{path} is damaged: no tensor has the storage {str(key)[:40]!r}")
        starts[key] = end + 8
        end += 8 + sizes[key]

    def tensor(part: Tensor) -> np.ndarray:
        key = part.storage.key
        if key not in starts:
            raise ValueError("the file lacks its values")
        start, size = starts[key], sizes[key]
        if start + size > len(content):
            raise ValueError("the file ends before its values do")
        return _array(part, memoryview(content)[start : start + size], order)

    return value, tensor


def _array(part: Tensor, values: bytes | memoryview, order: str) -> np.ndarray:
    """A tensor's values as an array that is contiguous.

    Raises:
        ValueError: the tensor reaches beyond its storage.
    """
    dtype = np.dtype(part.storage.dtype)
    # More elements than values would take memory that the file does not have.
    if math.prod(part.shape) > len(values) // dtype.itemsize:
        raise ValueError(f"its shape {part.shape} has more elements than the file has values")
    offset = (part.storage.offset + part.offset) * dtype.itemsize
    strides = tuple(stride * dtype.itemsize for stride in part.strides)
    # Values are read as plain integers, since bfloat16 has no other byte order.
    raw = np.dtype(f"{order}u{dtype.itemsize}")
    try:
        view = np.ndarray(part.shape, raw, values, offset, strides)
    except (ValueError, TypeError, OverflowError) as error:
        message = f"its shape {part.shape} and strides {part.strides} reach beyond its values"
        raise ValueError(message) from error
    return view.astype(raw.newbyteorder("="), order="C").view(dtype)


def _ordered_dict(*items: Any) -> dict[Any, Any]:
    pairs = items[0] if items else []
    if len(items) > 1 or not isinstance(pairs, list):
        raise _damaged()
    result: dict[Any, Any] = {}
    for pair in pairs:
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise _damaged()
        _set(result, *pair)
    return result


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    lists = isinstance(shape, tuple) and isinstance(strides, tuple) and len(shape) == len(strides)
    if not (lists and isinstance(storage, _Storage)):
        raise _damaged()
    # The last check: a huge number is no size, and would overflow later.
    if not all(type(n) is int and 0 <= n < 2**48 for n in (offset, *shape, *strides)):
        raise _damaged()
    return Tensor(storage, offset, shape, strides)


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
_PLAIN = {
    "NONE": None,
    "NEWTRUE": True,
    "NEWFALSE": False,
    "EMPTY_TUPLE": (),
}
_VALUES = {
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINSTRING",
    "SHORT_BINSTRING",
    "BINBYTES",
    "SHORT_BINBYTES",
}
"""Instructions that put their own argument on the stack."""
_MARK = object()


def _run(file: io.BytesIO, sizes: dict[str, int] | None = None) -> Any:
    """Interprets one pickle; the file is then at the byte behind it.

    Args:
        file: at the pickle's first byte.
        sizes: receives the bytes of every storage by its key.

    Raises:
        _Damaged: the pickle is damaged or has a name or an instruction that no tensor needs.
    """
    sizes = {} if sizes is None else sizes
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for instruction, argument, _ in pickletools.genops(file):
            if instruction.name == "STOP":
                (value,) = stack
                return value
            _execute(instruction.name, argument, stack, memo, sizes)
    except _Damaged:
        raise
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _damaged() from error
    raise _damaged()


def _execute(
    name: str, argument: Any, stack: list[Any], memo: dict[int, Any], sizes: dict[str, int]
) -> None:
    """Runs one instruction of a pickle."""
    if name in ("PROTO", "FRAME"):
        return
    if name in _VALUES:
        stack.append(argument)
    elif name in _PLAIN:
        stack.append(_PLAIN[name])
    elif name == "EMPTY_DICT":
        stack.append({})
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name == "MARK":
        stack.append(_MARK)
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        count = int(name[-1])
        stack.append(tuple(_pop(stack) for _ in range(count))[::-1])
    elif name == "TUPLE":
        stack.append(tuple(_above_mark(stack)))
    elif name in ("APPEND", "APPENDS"):
        items = [_pop(stack)] if name == "APPEND" else _above_mark(stack)
        _top(stack, list).extend(items)
    elif name in ("SETITEM", "SETITEMS"):
        items = [_pop(stack), _pop(stack)][::-1] if name == "SETITEM" else _above_mark(stack)
        target = _top(stack, dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            _set(target, key, value)
    elif name in ("BINPUT", "LONG_BINPUT"):
        memo[argument] = stack[-1]
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name == "GLOBAL":
        stack.append(_name(*argument.split(" ", 1)))
    elif name == "STACK_GLOBAL":
        attribute, module = _pop(stack), _pop(stack)
        stack.append(_name(module, attribute))
    elif name == "REDUCE":
        arguments, function = _pop(stack), _pop(stack)
        if not (isinstance(function, _Name) and function.text in _FUNCTIONS):
            raise _damaged()
        stack.append(_FUNCTIONS[function.text](*arguments))
    elif name == "BUILD":
        # Attributes of an OrderedDict: `_metadata`, the versions of modules.
        _pop(stack)
        _top(stack, dict)
    elif name == "BINPERSID":
        stack.append(_storage(_pop(stack), sizes))
    else:
        raise _Damaged(f"has the pickle instruction {name}, which no tensor needs; {SAVE_TENSORS}")


def _name(module: Any, attribute: Any) -> _Name:
    text = f"{module}.{attribute}"
    if text not in _FUNCTIONS and not (module == "torch" and attribute in DTYPES):
        raise _Damaged(
            f"has {text[:80]} in it, which is no tensor: nothing was run; {SAVE_TENSORS}"
        )
    return _Name(text)


def _storage(parts: Any, sizes: dict[str, int]) -> _Storage:
    """The storage that a persistent id describes."""
    kind, name, key, _, size, *view = parts
    if kind != "storage" or not isinstance(name, _Name) or not isinstance(key, str):
        raise _damaged()
    dtype = DTYPES[name.text.rpartition(".")[2]]
    if type(size) is not int or not 0 <= size < 2**48:
        raise _damaged()
    sizes[key] = size * np.dtype(dtype).itemsize
    offset = 0
    if view and view[0] is not None:
        _, offset, size = view[0]
        if type(offset) is not int or not 0 <= offset < 2**48:
            raise _damaged()
    return _Storage(key, dtype, size, offset)


def _set(target: dict[Any, Any], key: Any, value: Any) -> None:
    if not isinstance(key, str | int):
        raise _damaged()
    target[key] = value


def _pop(stack: list[Any]) -> Any:
    value = stack.pop()
    if value is _MARK:
        raise _damaged()
    return value


def _above_mark(stack: list[Any]) -> list[Any]:
    """The values above the last mark, which are taken off the stack with it."""
    values = []
    while (value := stack.pop()) is not _MARK:
        values.append(value)
    return values[::-1]


def _top(stack: list[Any], kind: type) -> Any:
    if not isinstance(stack[-1], kind):
        raise _damaged()
    return stack[-1]


def _damaged() -> _Damaged:
    return _Damaged("is damaged or cut off: its pickle cannot be read")
