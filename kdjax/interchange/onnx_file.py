"""Exported ONNX files in ONNX Runtime."""

import json
from pathlib import Path

import numpy as np

from kdjax.interchange.serving import IMAGE, ExportedFile
from kdjax.system import packages
from kdjax.system.errors import UserError


def read(path: Path) -> ExportedFile:
    """A file that kdjax has exported, on the CPU.

    Raises:
        UserError: there is no such file, it is damaged, or kdjax has not exported it.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    return from_bytes(content, str(path))


def from_bytes(content: bytes, name: str) -> ExportedFile:
    """The content of a file; `name` is for messages."""
    packages.require(["onnxruntime"], "an ONNX file")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        written = session.get_modelmeta().custom_metadata_map
    # ONNX Runtime raises many kinds.
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{name} is no ONNX file that ONNX Runtime can run: {reason}") from error
    if "class_names" not in written:
        raise UserError(f"{name} was not exported by kdjax: it has no class names in its metadata")
    names = [output.name for output in session.get_outputs()]

    def run(image: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {IMAGE: image}), strict=True))

    metadata = {key: json.loads(written[key]) for key in sorted(written)}
    return ExportedFile(metadata, run)
