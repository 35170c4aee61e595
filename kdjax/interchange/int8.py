"""Static 8-bit quantisation of ONNX files, by ONNX Runtime.

Activations are uint8 and weights int8 per output channel, which ONNX Runtime computes fastest.
Ranges of activations are the smallest and largest values on calibration images. Softmax,
normalisation layers and the network's logits stay in float32.
"""

import contextlib
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kdjax.interchange.formats import onnx as onnx_format
from kdjax.interchange.serving import IMAGE
from kdjax.system.progress import Bar

QUANTISED = "int8"
_OPERATIONS = [
    *("Conv", "Gemm", "MatMul", "Add", "Relu", "Clip", "MaxPool", "AveragePool"),
    *("GlobalAveragePool", "Concat", "Transpose", "Reshape", "Squeeze", "Unsqueeze"),
]
"""The operations that compute in 8 bits, or hand 8-bit values on."""
_WARNINGS, _ERRORS = 2, 3
"""ONNX Runtime's levels of messages."""
_BATCH = 16
"""Calibration keeps all activations of a batch in memory."""


def quantise(content: bytes, images: np.ndarray) -> bytes:
    """An exported ONNX file, quantised.

    Args:
        content: the bytes of a float32 file.
        images: uint8 `[n, h, w, c]` for calibration, as the network is to see them.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(quantization.CalibrationDataReader):
        """Yields the calibration images in batches, and moves a bar."""

        def __init__(self, bar: Bar):
            self._bar, self._done = bar, 0

        def get_next(self) -> Any:
            batch = images[self._done : self._done + _BATCH]
            self._done += len(batch)
            self._bar.to(self._done)
            return {IMAGE: batch} if len(batch) else None

    model = onnx.load_from_string(content)
    metadata = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    with tempfile.TemporaryDirectory() as folder, _quiet():
        exact, fused, quantised = (Path(folder) / f"{name}.onnx" for name in "abc")
        exact.write_bytes(content)
        # Merges BatchNorm into convolutions, so that their weights are quantised with it.
        quant_pre_process(exact, fused, skip_symbolic_shape=True)
        with Bar("calibrating", len(images)) as bar:
            quantization.quantize_static(
                fused,
                quantised,
                Reader(bar),
                quant_format=quantization.QuantFormat.QDQ,
                op_types_to_quantize=_OPERATIONS,
                per_channel=True,
                activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
                extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
            )
        result = onnx.load(quantised)
    del result.graph.value_info[:]
    return onnx_format.with_metadata(result, metadata | {"quantised": QUANTISED})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides ONNX Runtime's advice to programmers, which it logs at the root and on its own."""
    import onnxruntime

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(_ERRORS)
    try:
        yield
    finally:
        logging.disable(before)
        onnxruntime.set_default_logger_severity(_WARNINGS)
