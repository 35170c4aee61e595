"""Exports one network of a workdir as a file that runs elsewhere, and checks it on the spot.

    kdjax export --workdir=DIR --network=student                       # DIR/student.onnx
    kdjax export --workdir=DIR --network=student --int8                # DIR/student.int8.onnx
    kdjax export --workdir=DIR --format=stablehlo --features=stage3_last,pooled
    kdjax export --workdir=DIR --format=safetensors --output=student.safetensors

The file takes uint8 images of any number and returns logits and probabilities; preprocessing is
inside, class names and provenance in its metadata. All outputs are compared with the network's on
the run's test images, and a float32 file that differs is refused. Prints a table of size, accuracy,
latency and throughput, beside the teacher's, and writes it as FILE.json. Packages: `pip install -r
requirements/export.txt && pip install --no-deps -r requirements/export-no-deps.txt`.
"""

from pathlib import Path
from typing import Any

from absl import flags

from kdjax.system import cli
from kdjax.system.errors import UserError


def define() -> None:
    """The command's flags."""
    cli.define_path("workdir", None, "Folder of a finished run or of an import.")
    flags.DEFINE_string("network", "", "The network. Default: the only one, or 'student'.")
    flags.DEFINE_string("format", "onnx", "onnx, stablehlo or safetensors.")
    flags.DEFINE_bool("int8", False, "8-bit weights and activations (onnx).")
    flags.DEFINE_list("features", [], "Activations that the file returns too.")
    cli.define_path("output", None, "The file. Default: the network's name in the workdir.")
    flags.DEFINE_integer("images", None, "Test images to compare on. Default: all.", 1)
    flags.DEFINE_integer("calibration_images", 512, "Training images that set int8's ranges.", 1)
    cli.define_path("beside", None, "A workdir whose network of that name is shown as well.")
    flags.DEFINE_string("teacher", "teacher", "The network shown as teacher; empty for none.")
    flags.DEFINE_bool("timing", True, "Measure latency and throughput.")
    cli.define_path("data_dir", None, "Where data is, if not where the run found it.")
    cli.define_path("path", None, "Where your own images are, if not where the run found them.")


def main() -> None:
    """Exports, compares, prints and writes."""
    values = flags.FLAGS
    if not values.workdir:
        raise UserError("--workdir=DIR is needed")
    from kdjax.evaluation import exported
    from kdjax.system import runtime

    runtime.prepare()
    chosen: dict[str, Any] = {name: getattr(values, name) for name in exported.Options._fields}
    for name in ("workdir", "output", "beside"):
        chosen[name] = Path(chosen[name]) if chosen[name] else None
    options = exported.Options(**chosen)
    exported.show(exported.export(options))


if __name__ == "__main__":
    cli.launch(main, define)
