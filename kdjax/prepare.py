"""Prepares a data set once: downloads or takes archives, checks them, decodes them.

    python -m kdjax.prepare --dataset=mnist
    python -m kdjax.prepare --dataset=mnist --manual_dir=DIR   # no network: official files in DIR
    python -m kdjax.prepare --dataset=folder --path=PATH       # images of your own

Prints counts, size, mean and deviation, and draws images of every class, so that one can see
whether labels fit. Preparing a data set of TFDS is the only thing that needs TensorFlow: pip
install -r requirements/prepare.txt
"""

import hashlib
from pathlib import Path
from typing import Any

from absl import flags

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
    """Prepares, prints what came out and draws the contact sheet."""
    given = flags.FLAGS
    if not given.dataset:
        raise UserError("--dataset=NAME is needed, as --dataset=mnist")
    from configs import base, datasets
    from kdjax.config import build_data, ranges
    from kdjax.data import sheet, summary
    from kdjax.runs import writers

    name = given.dataset.removeprefix("tfds/")
    known = name in datasets.DATASETS
    config = base.get_config(method="", dataset=name if known else f"tfds/{name}")
    data_dir = given.data_dir or ""
    config.data.data_dir, config.data.path = data_dir, given.path or ""
    if given.size is not None:
        config.data.size = given.size
    ranges.check_data(config.data)
    if given.manual_dir and not Path(given.manual_dir).is_dir():
        raise UserError(f"--manual_dir={given.manual_dir} is not a folder")
    if given.sheet and not given.sheet.endswith(".png"):
        raise UserError(f"--sheet={given.sheet} is to be a .png file")
    tfds_name = name
    if known:
        module = discover.module("kdjax.data.sources", name, "data set")
        tfds_name = getattr(module, "TFDS", "")
    if tfds_name and not given.path:
        with_tfds(tfds_name, manual_dir=given.manual_dir, data_dir=data_dir)
    elif given.manual_dir:
        raise UserError(f"--manual_dir is for TFDS's archives; {name} is read from --path=PATH")
    raw = build_data.source(config.data.name)(build_data.request(config.data))
    summary.show(raw, build_data.split(raw, config.data))
    where = Path(given.sheet) if given.sheet else _sheet(config.data)
    with writers.writing(where):
        sheet.draw(raw, where)
    kind = "attribute" if raw.parts["train"].label.ndim == 2 else "class"
    print(f"Images of every {kind}: {where}")


def _sheet(data: Any) -> Path:
    """The contact sheet's place: for each data set, and each folder or archive that is read for it,
    another one."""
    from kdjax.data import cache

    name = data.name.replace("/", "-")
    if data.path:
        path = Path(data.path).expanduser().resolve()
        name += f"-{path.stem}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    return cache.root(data.data_dir) / "kdjax" / f"{name}.png"


def with_tfds(name: str, *, manual_dir: str | None, data_dir: str) -> None:
    """Writes a TFDS data set as ArrayRecord files, which are read without TensorFlow.

    Args:
        name: TFDS's name.
        manual_dir: folder with the official archives, or None to download them.
        data_dir: where to write; empty for TFDS's own default.

    Raises:
        UserError: TensorFlow is missing, the name is unknown, or an archive is missing or is not
            the official one.
    """
    try:
        import tensorflow as tf  # noqa: F401
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core import shuffle
        from tensorflow_datasets.core.download import downloader
    except ImportError as error:
        raise UserError(f"preparing needs {error.name}: run pip install tensorflow-cpu") from error
    from kdjax.data import cache

    where = str(cache.root(data_dir))
    if name in discover.names("kdjax.data.builders"):
        discover.module("kdjax.data.builders", name, "builder")
    # TFDS's ten retries wait for three minutes before they say that an address is gone.
    downloader.MAX_RETRIES = 3
    # Bytes of records that TFDS shuffles in memory, before it does so on disk; by default a
    # gigabyte.
    shuffle.MAX_MEM_BUFFER_SIZE = 64 << 20
    download = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        builder = tfds.builder(name, data_dir=where, file_format="array_record")
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise UserError(f"TFDS has no data set {name!r}") from error
    if manual_dir and not builder.is_prepared():
        _require_archives(builder, Path(manual_dir))
    archives = _archives(builder)
    them = "them" if len(archives) > 1 else "it"
    try:
        builder.download_and_prepare(download_config=download)
    except tfds.download.download_manager.NonMatchingChecksumError as error:
        raise UserError(
            f"{name}: an archive is not the official one: {_line(error)}. Get "
            f"{' and '.join(archives)}, put {them} into a folder and pass that as "
            "--manual_dir=DIR; or read a copy that differs with --path=PATH"
        ) from error
    except Exception as error:
        if _is_network(error):
            raise UserError(
                f"{name} could not be downloaded ({_line(error)}): get {' and '.join(archives)} "
                f"elsewhere, put {them} into a folder and pass that as --manual_dir=DIR"
            ) from error
        if isinstance(error, AssertionError | OSError):
            # TFDS asserts that manually downloaded files exist, and says which and from where.
            raise UserError(f"{name} could not be prepared: {_line(error)}") from error
        raise


def _require_archives(builder: Any, manual_dir: Path) -> None:
    """That the archives that a builder takes lie in a folder: others TFDS would download.

    Raises:
        UserError: some do not.
    """
    archives = _archives(builder)
    lacking = [name for name in archives if not (manual_dir / name).exists()]
    # Those of all variants are listed, and which of them a variant needs is not known.
    some_do = bool(builder.builder_config) and len(lacking) < len(archives)
    if lacking and not some_do:
        them = "them" if len(lacking) > 1 else "it"
        raise UserError(
            f"{manual_dir} lacks {', '.join(lacking)}: put {them} there, "
            "or leave --manual_dir out to download"
        )


def _archives(builder: Any) -> list[str]:
    """Names of the official archives that a builder takes."""
    infos = builder.url_infos or {}
    only = getattr(builder.builder_config, "download_url", None)
    chosen = [infos[only]] if only in infos else infos.values()
    return sorted({info.filename for info in chosen})


def _is_network(error: Exception) -> bool:
    import requests
    import urllib3
    from tensorflow_datasets.core.download.util import DownloadError

    kinds = requests.RequestException, urllib3.exceptions.HTTPError, DownloadError
    return isinstance(error, kinds)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    cli.launch(main, define)
