"""Exports of a run's networks, each checked against the network that it came from."""

from collections.abc import Sequence
from pathlib import Path

from kdjax.interchange.formats import onnx
from kdjax.runs import writers
from kdjax.step.types import LoadedNetwork
from kdjax.system import packages


def export_onnx(loaded: LoadedNetwork, path: Path, *, features: Sequence[str] = ()) -> None:
    """Writes a network as an ONNX file of uint8 images in, logits, probabilities and features out.

    Raises:
        UserError: a package is missing, the network has no such feature, or nothing can be written.
    """
    packages.require(onnx.PACKAGES, "an ONNX file")
    content = onnx.encode(loaded, features)
    with writers.replacing(path) as fresh:
        fresh.write_bytes(content)
