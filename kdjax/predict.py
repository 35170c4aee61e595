"""Predicts the classes of new images, with a network of a workdir or an exported file.

    kdjax predict --workdir=DIR --network=student photo.jpg FOLDER
    kdjax predict --file=student.onnx --top=3 FOLDER

Images may have any size and mode; folders are searched with the folders inside. Prints the most
probable classes of every image, or its attributes, and writes them as OUTPUT.json and OUTPUT.csv.
An image that cannot be read is named in a line; the others are predicted, and the exit code is 2.
"""

from pathlib import Path

from absl import flags

from kdjax.system import cli
from kdjax.system.errors import UserError


def define() -> None:
    """The command's flags."""
    cli.define_path("workdir", None, "Folder of a finished run or of an import.")
    flags.DEFINE_string("network", "", "The network. Default: the only one, or 'student'.")
    cli.define_path("file", None, "An exported file, in place of a workdir.")
    flags.DEFINE_integer("top", 5, "The number of classes that are shown.", 1)
    flags.DEFINE_float("threshold", 0.5, "Attributes as probable are shown.", 0.0, 1.0)
    cli.define_path("output", "predictions", "Path of the files, without .json and .csv.")


def main(paths: list[str]) -> None:
    """Predicts, prints and writes."""
    values = flags.FLAGS
    if bool(values.workdir) == bool(values.file):
        raise UserError("either --workdir=DIR or --file=FILE is needed, and not both")
    if values.file and values.network:
        raise UserError("--network is for --workdir: an exported file has one network")
    if not paths:
        raise UserError("images or folders are needed, as kdjax predict --workdir=DIR photo.jpg")
    from kdjax.evaluation import new_images
    from kdjax.system import runtime

    runtime.prepare()
    source = Path(values.workdir or values.file).expanduser()
    if values.workdir:
        network = new_images.of_workdir(source, values.network)
    else:
        network = new_images.of_file(source)
    record = new_images.predict(network, [Path(path).expanduser() for path in paths])
    new_images.show(record, top=values.top, threshold=values.threshold)
    new_images.write(record, Path(values.output), top=values.top, threshold=values.threshold)
    if unread := record["unread"]:
        count = len(unread) + len(record["images"])
        raise UserError(f"{len(unread):,} of the {count:,} images cannot be read: see above")


if __name__ == "__main__":
    cli.launch(main, define, takes_arguments=True)
