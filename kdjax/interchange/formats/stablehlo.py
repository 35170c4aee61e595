"""StableHLO programs by `jax.export`, for CPU, CUDA and TPU, which JAX alone loads and runs.

The file is a zip with two members. Without this project:

    archive = zipfile.ZipFile("student.stablehlo.zip")
    network = jax.export.deserialize(archive.read("program.bin"))
    outputs = network.call(images)        # uint8 [b, h, w, c], any b
    metadata = json.loads(archive.read("metadata.json"))

JAX promises to load a program for six months of later versions: it is for serving, no archive.
"""

import contextlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp

from kdjax.interchange import serving
from kdjax.interchange.serving import ExportedFile
from kdjax.models.layers.plain import plain_lax
from kdjax.step.types import LoadedNetwork
from kdjax.system import packages
from kdjax.system.errors import UserError

SUFFIX = ".stablehlo.zip"
PACKAGES = ("flatbuffers",)
RUNS_IN = "StableHLO"
PLATFORMS = ("cpu", "cuda", "tpu")
_PROGRAM, _METADATA = "program.bin", "metadata.json"


def encode(loaded: LoadedNetwork, features: Sequence[str] = ()) -> bytes:
    """The bytes of a zip with the program, for any number of images in a batch."""
    metadata = serving.metadata(loaded, serving.output_shapes(loaded, features))
    (batch,) = jax.export.symbolic_shape("b")
    image = jax.ShapeDtypeStruct((batch, *loaded.image_shape), jnp.uint8)
    with plain_lax(), _without_paths():
        program = jax.jit(serving.function(loaded, features))
        exported = jax.export.export(program, platforms=PLATFORMS)(image)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        # Without the time of day, so that the same network gives the same file.
        archive.writestr(zipfile.ZipInfo(_PROGRAM), exported.serialize())
        archive.writestr(zipfile.ZipInfo(_METADATA), json.dumps(metadata, indent=2))
    return content.getvalue()


@contextlib.contextmanager
def _without_paths() -> Iterator[None]:
    """Leaves the paths of this machine's source files out of programs."""
    name = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, name)
    jax.config.update(name, 0)
    try:
        yield
    finally:
        jax.config.update(name, before)


def read(path: Path) -> ExportedFile:
    """A program of `encode`, on this process's device.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    packages.require(PACKAGES, "a StableHLO file")
    try:
        with zipfile.ZipFile(path) as archive:
            program = jax.export.deserialize(bytearray(archive.read(_PROGRAM)))
            metadata = json.loads(archive.read(_METADATA))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    # Zip, JSON and JAX raise many kinds.
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{path} is no StableHLO file of kdjax's: {reason}") from error
    return ExportedFile(metadata, jax.jit(program.call))
