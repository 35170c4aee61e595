"""Imports a pretrained network from a weight file into a workdir of its own.

    kdjax import --file=resnet50.safetensors --model=resnet.resnet50_imagenet --workdir=runs/r50
    kdjax import --file=F.pth --model=M --workdir=DIR --classes=names.txt   # a class a line
    kdjax import --file=F.npz --model=M --workdir=DIR --headless            # features alone

The network can then be evaluated, teach, or be trained on with other classes. Files end in
.safetensors, .npz, .pth, .pt or .bin; no pickle in them is run. Every tensor of the file must have
its place in the model, and every parameter of the model its tensor.
"""

import math
from pathlib import Path

from absl import flags

from kdjax.system import cli
from kdjax.system.errors import UserError


def define() -> None:
    """The command's flags."""
    cli.define_path("file", None, "The weight file: .safetensors, .npz, .pth, .pt or .bin.")
    flags.DEFINE_string("model", None, "The model's name, as resnet.resnet50_imagenet.")
    cli.define_path("workdir", None, "The folder to make.")
    cli.define_path("classes", None, "Text file with a class name a line. Default: 0, 1, 2, ...")
    flags.DEFINE_integer("size", None, "Height and width of images. Default: the model's.", 1)
    flags.DEFINE_list("mean", [], "Each channel's mean in images in [0, 1]. Default: the model's.")
    flags.DEFINE_list("std", [], "Each channel's standard deviation. Default: the model's.")
    flags.DEFINE_enum(
        "interpolation",
        None,
        ["bilinear", "bicubic"],
        "How images are resized. Default: the model's.",
    )
    flags.DEFINE_bool("headless", False, "Leave the file's last layer out: features alone.")


def main() -> None:
    """Imports, and prints what was imported and what can be done with it."""
    values = flags.FLAGS
    for name, example in (("file", "F"), ("model", "NAME"), ("workdir", "DIR")):
        if not getattr(values, name):
            raise UserError(f"--{name}={example} is needed")
    mean, std = _numbers("mean"), _numbers("std")
    if std and min(std) <= 0:
        raise UserError(f"--std={','.join(values.std)}: it takes numbers greater than 0")
    from kdjax.runs import importing
    from kdjax.system import runtime

    runtime.prepare()
    options = importing.Options(
        file=Path(values.file),
        model=values.model,
        workdir=Path(values.workdir),
        classes=Path(values.classes) if values.classes else None,
        size=values.size,
        mean=mean,
        std=std,
        interpolation=values.interpolation,
        headless=values.headless,
    )
    for line in importing.describe(options, importing.run(options)):
        print(line)


def _numbers(name: str) -> tuple[float, ...]:
    texts = getattr(flags.FLAGS, name)
    try:
        numbers = tuple(map(float, texts))
    except ValueError as error:
        raise UserError(f"--{name}={','.join(texts)}: it takes numbers, as 0.5,0.5,0.5") from error
    if not all(map(math.isfinite, numbers)):
        raise UserError(f"--{name}={','.join(texts)}: it takes finite numbers")
    return numbers


if __name__ == "__main__":
    cli.launch(main, define)
