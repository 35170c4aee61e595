"""Prepares a data set once: downloads or takes archives, checks them, decodes them.

    python -m kdjax.prepare --dataset=mnist
    python -m kdjax.prepare --dataset=mnist --manual_dir=DIR   # no network: official files in DIR
    python -m kdjax.prepare --dataset=folder --path=PATH       # images of your own

Prints counts, size, mean and deviation, and draws images of every class, so that one can see
whether labels fit. Only preparing a data set of TFDS needs TensorFlow: pip install -r
requirements/prepare.txt
"""

from pathlib import Path

from absl import flags

from kdjax.system import cli
from kdjax.system.errors import UserError


def define() -> None:
    """The command's flags."""
    flags.DEFINE_string("dataset", None, "Name of the data set, as mnist; or any that TFDS has.")
    cli.define_path(
        "manual_dir", None, "Folder with the official archives under their own names; no download."
    )
    cli.define_path("path", None, "A folder or archive to read in place of the official archives.")
    cli.define_path("data_dir", None, "Where to put it. Default: TFDS's own.")
    flags.DEFINE_integer("size", None, "Height and width to decode to. Default: the config's.")
    cli.define_path("sheet", None, "PNG of the contact sheet. Default: beside the data.")


def main() -> None:
    """Prepares and decodes a data set, prints its counts and draws the contact sheet."""
    values = flags.FLAGS
    if not values.dataset:
        raise UserError("--dataset=NAME is needed, as --dataset=mnist")
    from configs import base, datasets
    from kdjax.config import build_data, ranges
    from kdjax.data import preview
    from kdjax.data.tfds import writer
    from kdjax.runs import writers

    name = values.dataset.removeprefix("tfds/")
    dataset = name if name in datasets.DATASETS else f"tfds/{name}"
    data = base.get_config(method="", dataset=dataset).data
    data.data_dir, data.path = values.data_dir or "", values.path or ""
    if values.size is not None:
        data.size = values.size
    ranges.check_data(data)
    if values.manual_dir and not Path(values.manual_dir).is_dir():
        raise UserError(f"--manual_dir={values.manual_dir} is not a folder")
    if values.sheet and not values.sheet.endswith(".png"):
        raise UserError(f"--sheet={values.sheet} is to be a .png file")
    tfds_name = datasets.tfds_name(dataset)
    if tfds_name is not None and not values.path:
        writer.prepare(tfds_name, manual_dir=values.manual_dir, data_dir=data.data_dir)
    elif values.manual_dir:
        raise UserError(f"--manual_dir is for TFDS's archives; {name} is read from --path=PATH")
    request = build_data.request(data)
    raw = build_data.source(dataset)(request)
    preview.print_summary(raw, build_data.split(raw, data))
    sheet = Path(values.sheet) if values.sheet else preview.default_sheet(dataset, request)
    with writers.writing(sheet):
        preview.draw_sheet(raw, sheet)
    print(f"Images of every {'attribute' if raw.attributes else 'class'}: {sheet}")


if __name__ == "__main__":
    cli.launch(main, define)
