"""Prepares a data set once: downloads or takes archives, checks them, decodes them.

    python -m kdjax.prepare --dataset=mnist
    python -m kdjax.prepare --dataset=mnist --manual_dir=DIR   # no network: official files in DIR
    python -m kdjax.prepare --dataset=folder --path=PATH       # images of your own

Prints counts, size, mean and deviation, and draws images of every class, so that one can see
whether labels fit. Only preparing a data set of TFDS needs TensorFlow: pip install -r
requirements/prepare.txt
"""

import hashlib
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from kdjax.system import cli, discover
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
    from kdjax.runs import writers

    name = values.dataset.removeprefix("tfds/")
    dataset = name if name in datasets.DATASETS else f"tfds/{name}"
    config = base.get_config(method="", dataset=dataset)
    config.data.data_dir, config.data.path = values.data_dir or "", values.path or ""
    if values.size is not None:
        config.data.size = values.size
    ranges.check_data(config.data)
    if values.manual_dir and not Path(values.manual_dir).is_dir():
        raise UserError(f"--manual_dir={values.manual_dir} is not a folder")
    if values.sheet and not values.sheet.endswith(".png"):
        raise UserError(f"--sheet={values.sheet} is to be a .png file")
    tfds_name = datasets.tfds_name(dataset)
    if tfds_name is not None and not values.path:
        prepare_tfds(tfds_name, manual_dir=values.manual_dir, data_dir=config.data.data_dir)
    elif values.manual_dir:
        raise UserError(f"--manual_dir is for TFDS's archives; {name} is read from --path=PATH")
    raw = build_data.source(dataset)(build_data.request(config.data))
    preview.print_summary(raw, build_data.split(raw, config.data))
    sheet = Path(values.sheet) if values.sheet else _default_sheet(config.data)
    with writers.writing(sheet):
        preview.draw_sheet(raw, sheet)
    kind = "attribute" if raw.parts["train"].label.ndim == 2 else "class"
    print(f"Images of every {kind}: {sheet}")


def _default_sheet(data: ConfigDict) -> Path:
    """The contact sheet's path, which differs between data sets and between folders or archives."""
    from kdjax.data import cache

    name = data.name.replace("/", "-")
    if data.path:
        path = Path(data.path).expanduser().resolve()
        name += f"-{path.stem}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    return cache.root(data.data_dir) / "kdjax" / f"{name}.png"


def prepare_tfds(name: str, *, manual_dir: str | None, data_dir: str) -> None:
    """Writes a TFDS data set as ArrayRecord files, which are read without TensorFlow.

    Args:
        name: TFDS's name.
        manual_dir: the folder with the official archives, or None to download them.
        data_dir: the folder to write to; empty for TFDS's own default.

    Raises:
        UserError: TensorFlow is missing, the name is unknown, or an archive is missing or is not
            the official archive.
    """
    try:
        import tensorflow as tf  # noqa: F401
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core import shuffle
        from tensorflow_datasets.core.download import downloader
    except ImportError as error:
        raise UserError(f"preparing needs {error.name}: run pip install tensorflow-cpu") from error
    from kdjax.data import cache

    builders = "kdjax.data.tfds.builders"
    if name in discover.names(builders):
        discover.module(builders, name, "builder")
    # By default TFDS retries ten times, for three minutes, before it reports a dead address.
    downloader.MAX_RETRIES = 3
    # Bytes of records that TFDS shuffles in memory and not on disk; by default a gigabyte.
    shuffle.MAX_MEM_BUFFER_SIZE = 64 << 20
    try:
        builder = tfds.builder(name, data_dir=str(cache.root(data_dir)), file_format="array_record")
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise UserError(f"TFDS has no data set {name!r}") from error
    archives = _archives(builder)
    if manual_dir and not builder.is_prepared():
        _require_archives(builder, archives, Path(manual_dir))
    them = "them" if len(archives) > 1 else "it"
    try:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=manual_dir)
        )
    except tfds.download.download_manager.NonMatchingChecksumError as error:
        raise UserError(
            f"{name}: an archive is not the official one: {_line(error)}. Get "
            f"{' and '.join(archives)}, put {them} into a folder and pass that as "
            "--manual_dir=DIR; or read a copy that differs with --path=PATH"
        ) from error
    except Exception as error:
        if _is_network_error(error):
            raise UserError(
                f"{name} could not be downloaded ({_line(error)}): get {' and '.join(archives)} "
                f"elsewhere, put {them} into a folder and pass that as --manual_dir=DIR"
            ) from error
        if isinstance(error, AssertionError | OSError):
            # TFDS asserts that manually downloaded files exist, and says which and from where.
            raise UserError(f"{name} could not be prepared: {_line(error)}") from error
        raise


def _require_archives(builder: Any, archives: list[str], manual_dir: Path) -> None:
    """Checks that a folder has the builder's archives, since TFDS would download missing archives.

    Raises:
        UserError: archives are missing.
    """
    lacking = [name for name in archives if not (manual_dir / name).exists()]
    # For a data set with variants, `archives` has the archives of all variants, and it is not
    # known which of them this variant needs.
    some_exist = bool(builder.builder_config) and len(lacking) < len(archives)
    if lacking and not some_exist:
        them = "them" if len(lacking) > 1 else "it"
        raise UserError(
            f"{manual_dir} lacks {', '.join(lacking)}: put {them} there, "
            "or leave --manual_dir out to download"
        )


def _archives(builder: Any) -> list[str]:
    """Names of the official archives that a builder takes."""
    infos = builder.url_infos or {}
    url = getattr(builder.builder_config, "download_url", None)
    chosen = [infos[url]] if url in infos else infos.values()
    return sorted({info.filename for info in chosen})


def _is_network_error(error: Exception) -> bool:
    import requests
    import urllib3
    from tensorflow_datasets.core.download.util import DownloadError

    return isinstance(
        error, requests.RequestException | urllib3.exceptions.HTTPError | DownloadError
    )


def _line(error: BaseException) -> str:
    """A message of several lines as one line."""
    return " ".join(str(error).split())


if __name__ == "__main__":
    cli.launch(main, define)
