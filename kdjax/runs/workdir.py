"""A run's folder: its config, split, networks of other runs, and result.

Functions that read a file raise a UserError, in one line, where it is damaged or cannot be read.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from kdjax.data.types import DataSet
from kdjax.runs import saved_config
from kdjax.runs.writers import make_folder, write_json
from kdjax.system.errors import UserError

IMPORT = "import"
"""The method of a workdir that holds an imported network, and no data."""
_SHOWN = 8
"""The largest number of differences that a message lists."""


def default(config: ConfigDict) -> Path:
    """`runs/<method>-<data set>-<hash>`: a folder for each config, so that each can resume."""
    digest = hashlib.sha256(
        json.dumps(saved_config.plain(config), sort_keys=True).encode()
    ).hexdigest()
    return Path("runs") / f"{config.method}-{config.data.name.replace('/', '-')}-{digest[:8]}"


def begun(workdir: Path) -> bool:
    """Whether a run has begun there."""
    return (workdir / "config.json").exists()


def open_for(config: ConfigDict, workdir: Path) -> None:
    """Makes the folder, where no run has begun."""
    if not begun(workdir):
        make_folder(workdir)
        write_config(config, workdir)


def write_config(config: ConfigDict, workdir: Path) -> None:
    """Writes `config.json`, in place of an earlier file."""
    write_json(workdir / "config.json", saved_config.plain(config))


def load_config(workdir: Path) -> ConfigDict:
    """The config that a workdir belongs to; a UserError where the folder is no workdir."""
    if not begun(workdir):
        raise UserError(f"{workdir} is not a workdir: it has no config.json")
    keys = {"data": dict, "networks": dict, "stages": dict, "stage_order": list}
    config = ConfigDict(_read(workdir / "config.json", **keys), convert_dict=True)
    return saved_config.with_later_keys(config)


def require_same(config: ConfigDict, workdir: Path) -> dict[str, int]:
    """Makes sure that a folder, where there is one, belongs to this config, or to fewer epochs.

    Returns:
        For every stage that has more epochs than in the folder's config, the number there.

    Raises:
        UserError: it belongs to another config; names the keys whose values the others follow.
    """
    if not begun(workdir):
        return {}
    lines, former_epochs = saved_config.compare(config, saved_config.plain(load_config(workdir)))
    if lines:
        more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        raise UserError(
            f"workdir {workdir} belongs to another config: {'; '.join(lines[:_SHOWN])}{more}. "
            "Choose another --workdir, or none"
        )
    return former_epochs


def record_split(workdir: Path, data: DataSet) -> None:
    """Writes `split.json`: class names, the ids of each split, a digest of images and labels."""
    if (workdir / "split.json").exists():
        check_split(workdir, data)
    else:
        write_json(workdir / "split.json", _split(data), indent=None)


def check_split(workdir: Path, data: DataSet) -> None:
    """Raises a UserError where the data has changed since the run was trained on it."""
    path, now = workdir / "split.json", _split(data)
    # Earlier versions did not record whether images have attributes.
    if path.exists() and {"multi_label": now["multi_label"], **_read(path)} != now:
        raise UserError(
            f"{workdir} was trained on other images, other classes or another split of "
            f"{data.source}: the data has changed since"
        )


def _split(data: DataSet) -> dict[str, Any]:
    ids = {name: np.sort(split.id).tolist() for name, split in data.splits.items()}
    return {
        "content": data.content,
        "class_names": list(data.class_names),
        "multi_label": bool(data.attributes),
        "ids": ids,
    }


def class_names(workdir: Path) -> tuple[str, ...]:
    """The names of a run's classes or attributes."""
    return tuple(_read(workdir / "split.json", class_names=list)["class_names"])


def is_multi_label(workdir: Path) -> bool:
    """Whether a run's images have attributes in place of one class."""
    split = _read(workdir / "split.json")
    if "multi_label" in split:
        return bool(split["multi_label"])
    # Earlier versions did not record it, and scores of attributes have a value for each of them.
    networks = (load_result(workdir) or {"networks": {}})["networks"].values()
    scores = (network["test"] for network in networks)
    return any(key.startswith("attribute/") for score in scores for key in score or ())


def has_images_of(workdir: Path, data: DataSet) -> bool:
    """Whether a run's images are those of a data set, so that `seen` can compare them."""
    return _read(workdir / "split.json", content=str)["content"] == data.content


def seen(workdir: Path, data: DataSet, by: Sequence[str]) -> dict[str, int]:
    """How many of a data set's validation and test images the splits `by` of another run have; a
    UserError where that run was trained on other images."""
    record = _read(workdir / "split.json", content=str, ids=dict)
    if record["content"] != data.content:
        raise UserError(f"{workdir} was trained on other images than {data.source} has now")
    ids = [index for name in by for index in record["ids"].get(name, [])]
    return {
        name: int(np.isin(data.splits[name].id, ids).sum())
        for name in ("validation", "test")
        if name in data.splits
    }


def record_restored(workdir: Path, origins: dict[str, Any]) -> None:
    """Writes `restored.json`: the origins of networks of other runs; a UserError where a network
    is no longer what the run began with."""
    path = workdir / "restored.json"
    if not path.exists():
        if origins:
            write_json(path, origins)
        return
    for name, origin in _read(path).items():
        if origins[name]["digest"] != origin["digest"]:
            raise UserError(
                f"network {name!r} of {origin['workdir']} has changed since {workdir} began: "
                "choose another --workdir, or none"
            )


def load_result(workdir: Path) -> dict[str, Any] | None:
    """The record in `result.json`, or None where there is no such file yet."""
    path = workdir / "result.json"
    if not path.exists():
        return None
    result = _read(path, finished=bool, networks=dict, stages=dict)
    for name, network in result["networks"].items():
        if not isinstance(network, dict) or {"validation", "test"} - network.keys():
            raise UserError(f"{path} is damaged: networks.{name} is no record of a network")
    return result


def _read(path: Path, **needed: type) -> Any:
    """A JSON object in which every key of `needed` has a value of that type."""
    try:
        value = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} is damaged: it holds a {type(value).__name__}, and no object")
    wrong = [key for key, kind in needed.items() if not isinstance(value.get(key), kind)]
    if wrong:
        raise UserError(f"{path} is damaged: it has no {', '.join(wrong)}")
    return value
