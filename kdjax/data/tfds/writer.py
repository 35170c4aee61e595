"""Prepares data sets by TensorFlow Datasets: takes or downloads archives, and checks them."""

from pathlib import Path
from typing import Any

from kdjax.data import cache
from kdjax.system import discover
from kdjax.system.errors import UserError

_BUILDERS = "kdjax.data.tfds.builders"


def prepare(name: str, *, manual_dir: str | None, data_dir: str) -> None:
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
    if name in discover.names(_BUILDERS):
        discover.module(_BUILDERS, name, "builder")
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
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        builder.download_and_prepare(download_config=config)
    except Exception as error:
        if message := _explain(error, " and ".join(archives), _pronoun(archives)):
            raise UserError(f"{name}{message}") from error
        raise


def _explain(error: Exception, archives: str, them: str) -> str:
    """The message about an error while TFDS prepared; empty for a fault of a program."""
    import requests
    import urllib3
    from tensorflow_datasets.core.download import download_manager, util

    reason = " ".join(str(error).split())
    advice = f"put {them} into a folder and pass that as --manual_dir=DIR"
    if isinstance(error, download_manager.NonMatchingChecksumError):
        return (
            f": an archive is not the official one: {reason}. Get {archives}, {advice}; or read a "
            "copy that differs with --path=PATH"
        )
    network = requests.RequestException | urllib3.exceptions.HTTPError | util.DownloadError
    if isinstance(error, network):
        return f" could not be downloaded ({reason}): get {archives} elsewhere, {advice}"
    if isinstance(error, AssertionError | OSError):
        # TFDS asserts that manually downloaded files exist, and says which and from where.
        return f" could not be prepared: {reason}"
    return ""


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
        raise UserError(
            f"{manual_dir} lacks {', '.join(lacking)}: put {_pronoun(lacking)} there, "
            "or leave --manual_dir out to download"
        )


def _archives(builder: Any) -> list[str]:
    """Names of the official archives that a builder takes."""
    infos = builder.url_infos or {}
    url = getattr(builder.builder_config, "download_url", None)
    chosen = [infos[url]] if url in infos else infos.values()
    return sorted({info.filename for info in chosen})


def _pronoun(names: list[str]) -> str:
    return "them" if len(names) > 1 else "it"
