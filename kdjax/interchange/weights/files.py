"""Reads weight files: safetensors, NumPy's npz, and files of `torch.save`. No pickle is run."""

import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from kdjax.interchange.weights import torch_files
from kdjax.system import errors
from kdjax.system.errors import UserError

SUFFIXES = {
    ".safetensors": "safetensors",
    ".npz": "NumPy",
    ".pth": "PyTorch",
    ".pt": "PyTorch",
    ".bin": "PyTorch",
}
"""The library that writes files with a suffix."""
_NESTED = ("state_dict", "model", "model_state_dict", "state_dict_ema")
"""Entries under which checkpoints of training keep a network's tensors."""
_SAFETENSORS: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_LARGEST_RATIO = 100
"""The largest ratio of the sizes of an unpacked archive and of its file."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError)
"""The errors of `zipfile` on damaged archives."""
_MESSAGES = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the file itself: run git lfs pull",
    b"\x89HDF": "is an HDF5 file, which is not read",
    b"<": "is a web page, not a weight file: download it again",
}
"""The starts of files that are mistaken for weight files."""


def read(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a weight file by their names there, in the file's own types.

    A checkpoint of training that keeps them under `state_dict`, `model`, `model_state_dict` or
    `state_dict_ema` is read if it has one of these.

    Raises:
        UserError: there is no such file, it is none of these, it is damaged, or it holds other
            things than tensors of numbers.
    """
    library = _library(path)
    try:
        if library == "safetensors":
            tensors = _read_safetensors(path)
        elif library == "NumPy":
            tensors = _read_npz(path)
        else:
            tensors = _read_torch(path)
    except _DAMAGE as error:
        raise UserError(f"{path} is damaged or cut off: {errors.describe(error)}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except MemoryError as error:
        raise UserError(f"{path} does not fit into this machine's memory") from error
    if not tensors:
        raise UserError(f"{path} has no tensors")
    return tensors


def _library(path: Path) -> str:
    """The library that has written a file, by its suffix and its content."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        raise UserError(f"{path} is {what}: name a weight file ({', '.join(SUFFIXES)})")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path} has the suffix {path.suffix!r}; weight files are read that end in "
            f"{', '.join(SUFFIXES)}"
        )
    try:
        with path.open("rb") as file:
            start = file.read(32)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not start:
        raise UserError(f"{path} is empty")
    for beginning, message in _MESSAGES.items():
        if start.startswith(beginning):
            raise UserError(f"{path} {message}")
    written = _library_of_content(path, start)
    named = SUFFIXES[path.suffix.lower()]
    if not written:
        raise UserError(f"{path} is no file of {named}: it begins with {start[:8]!r}")
    if written != named:
        suffix = next(suffix for suffix, library in SUFFIXES.items() if library == written)
        raise UserError(
            f"{path} is a file of {written}, not of {named} as its suffix says: rename it to end "
            f"in {suffix}"
        )
    return named


def _library_of_content(path: Path, start: bytes) -> str:
    """The library that has written a file; empty where it is none of these."""
    if torch_files.is_sequence(start):
        return "PyTorch"
    if start[8:9] == b"{":
        return "safetensors"
    if not start.startswith(b"PK"):
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, *_DAMAGE) as error:
        raise UserError(f"{path} is damaged or cut off: {errors.describe(error)}") from error
    if any(map(torch_files.is_pickle, names)):
        return "PyTorch"
    return "NumPy" if names and all(name.endswith(".npy") for name in names) else ""


def _open(path: Path) -> zipfile.ZipFile:
    """A zip archive.

    Raises:
        UserError: it would unpack to far more than its own size.
    """
    archive = zipfile.ZipFile(path)
    unpacked, size = sum(file.file_size for file in archive.infolist()), path.stat().st_size
    if unpacked > _LARGEST_RATIO * size:
        archive.close()
        raise UserError(
            f"{path} has {size:,} bytes and would unpack to {unpacked:,}: that is no weight file"
        )
    return archive


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        return _tensors(path, *torch_files.read_sequence(path))
    with _open(path) as archive:
        return _tensors(path, *torch_files.read_zip(path, archive))


def _tensors(
    path: Path, value: Any, read_tensor: Callable[[torch_files.Tensor], np.ndarray]
) -> dict[str, np.ndarray]:
    tensors = {}
    nbytes, size = 0, path.stat().st_size
    for name, tensor in _state_dict(path, value).items():
        try:
            tensors[name] = read_tensor(tensor)
        except _DAMAGE as error:
            raise _damaged(path, name, str(error)) from error
        # Tensors may share their values.
        nbytes += tensors[name].nbytes
        if nbytes > _LARGEST_RATIO * size:
            raise UserError(
                f"{path} has {size:,} bytes, and its tensors over {nbytes:,}: that is no weight "
                "file"
            )
    return tensors


def _state_dict(path: Path, value: Any) -> dict[str, torch_files.Tensor]:
    """The named tensors of an object, directly or under one of the names of `_NESTED`."""
    if not isinstance(value, dict):
        kind = "tensor" if isinstance(value, torch_files.Tensor) else type(value).__name__
        raise UserError(f"{path} holds a {kind} without names; {torch_files.SAVE_TENSORS}")
    nested = [
        name
        for name in _NESTED
        if isinstance(value.get(name), dict)
        and any(isinstance(entry, torch_files.Tensor) for entry in value[name].values())
    ]
    if len(nested) > 1:
        raise UserError(
            f"{path} holds several networks, under {' and '.join(nested)}: save one of them alone, "
            f"as torch.save(torch.load({path.name!r})[{nested[0]!r}], FILE)"
        )
    if nested:
        value = value[nested[0]]
    elif not any(isinstance(entry, torch_files.Tensor) for entry in value.values()):
        entries = errors.listed([str(name)[:40] for name in value], 8) or "none"
        raise UserError(
            f"{path} has no tensors at its top nor under {', '.join(_NESTED)}; its entries: "
            f"{entries}. {torch_files.SAVE_TENSORS.capitalize()}"
        )
    for name, entry in value.items():
        if not isinstance(name, str) or not isinstance(entry, torch_files.Tensor):
            raise UserError(
                f"{path}: {str(name)[:80]!r} is a {type(entry).__name__}, and no tensor; "
                f"{torch_files.SAVE_TENSORS}"
            )
    return value


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    tensors = {}
    with _open(path) as archive:
        for file in archive.infolist():
            name = file.filename.removesuffix(".npy")
            try:
                tensors[name] = _read_npy(archive.read(file))
            except _DAMAGE as error:
                raise _damaged(path, name, str(error)) from error
    return tensors


def _read_npy(content: bytes) -> np.ndarray:
    """The array of an npy file; `np.load` would first allocate all that its header asks for.

    Raises:
        ValueError: it is damaged, or an array of objects.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in headers:
        raise ValueError(f"it has version {version} of NumPy's format")
    shape, is_fortran, dtype = headers[version](file)
    if dtype.kind not in "fiub":
        raise ValueError(f"it is an array of {dtype}, and numbers are read: float32, int64, ...")
    values = content[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(values):
        raise ValueError(f"its shape {shape} does not fit its {len(values):,} bytes")
    array = np.frombuffer(values, dtype).reshape(shape, order="F" if is_fortran else "C")
    return array.astype(dtype.newbyteorder("="), order="C")


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        import safetensors
    except ImportError as error:
        raise UserError(
            f"{path} is read with the package safetensors: pip install -r requirements/import.txt"
        ) from error
    content = path.read_bytes()
    try:
        parts = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        if name := _cut_off(content):
            raise _damaged(path, name, "the file ends before its values do") from error
        raise UserError(f"{path} is damaged or cut off: {errors.describe(error)}") from error
    tensors = {}
    for name, part in parts:
        if part["dtype"] not in _SAFETENSORS:
            known = ", ".join(_SAFETENSORS)
            raise _damaged(path, name, f"its type is {part['dtype']}; types that are read: {known}")
        dtype = np.dtype(_SAFETENSORS[part["dtype"]])
        raw = np.frombuffer(part["data"], f"<u{dtype.itemsize}").reshape(part["shape"])
        tensors[name] = raw.astype(raw.dtype.newbyteorder("=")).view(dtype)
    return tensors


def _cut_off(content: bytes) -> str:
    """The first tensor of a safetensors file whose values are not in the file; empty for none."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        ends = {
            name: entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""
    beyond = {name: end for name, end in ends.items() if end > len(content) - 8 - length}
    return min(beyond, key=beyond.__getitem__, default="")


def _damaged(path: Path, name: str, reason: str) -> UserError:
    return UserError(f"{path}: tensor {name!r} cannot be read: {reason}")
