"""A run's folder: which config it belongs to, and what it recorded."""

import contextlib
import copy
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from kdjax.data.types import DataSet
from kdjax.runs.writers import make_folder, write_json
from kdjax.system.errors import UserError

_WITHOUT_EFFECT = tuple(f"data.{key}" for key in ("data_dir", "path", "input", "workers"))
"""Where images are and how they are read: what they are is checked by `check_split`."""

_EPOCHS = re.compile(r"(stages\.\w+\.)?epochs")
_SHOWN = 8
"""The largest number of differences that a message lists."""
_SOUGHT = 200
"""Where more keys differ, the configs have little in common, and sources are not looked for."""

_KINDS = ("method", "data.name")
"""Where these differ, so do most others."""
_MEMBERS = "sweep.members"
"""What the axes reach, for every member: long, and told by the axes."""

_FIGURES = {"validation", "test"}
"""What a result has of every network, at least."""


def default(config: ConfigDict) -> Path:
    """`runs/<method>-<data set>-<hash>`: a folder for each config, so that each can resume."""
    digest = hashlib.sha256(json.dumps(plain(config), sort_keys=True).encode()).hexdigest()
    return Path("runs") / f"{config.method}-{config.data.name.replace('/', '-')}-{digest[:8]}"


def plain(config: ConfigDict) -> dict[str, Any]:
    """A config as JSON holds it: references resolved, tuples as lists."""
    return jsonable(config.to_dict())


def jsonable(tree: dict[str, Any]) -> dict[str, Any]:
    """The same as JSON holds it."""
    return json.loads(json.dumps(tree))


def open_for(config: ConfigDict, workdir: Path) -> None:
    """Makes the folder, where there is none."""
    if not begun(workdir):
        make_folder(workdir)
        write_config(config, workdir)


def write_config(config: ConfigDict, workdir: Path) -> None:
    """Writes `config.json`, in place of one that is there."""
    write_json(workdir / "config.json", plain(config))


def begun(workdir: Path) -> bool:
    """Whether a run has begun there."""
    return (workdir / "config.json").exists()


def require_same(config: ConfigDict, workdir: Path) -> dict[str, int]:
    """Makes sure that a folder, where there is one, belongs to this config, or to fewer epochs.

    Returns:
        For every stage of more epochs than the folder's config has, how many that has.

    Raises:
        UserError: it belongs to another config; names the keys whose values the others follow.
    """
    if not begun(workdir):
        return {}
    saved = _config(workdir / "config.json")
    here = plain(config)
    if difference := _kind(saved, here) or _axes(saved, here):
        raise _other(workdir, [difference])
    theirs, mine = flatten(saved), flatten(here)
    changed = _sources(config, saved)
    if all(_EPOCHS.fullmatch(key) and key in theirs and theirs[key] < mine[key] for key in changed):
        return {
            name: stage["epochs"]
            for name, stage in saved["stages"].items()
            if stage["epochs"] < mine[f"stages.{name}.epochs"]
        }
    lines = [
        line
        for line in differences(theirs, mine)
        if line.startswith(tuple(f"{k} is " for k in changed if k != _MEMBERS))
    ]
    raise _other(workdir, lines or ["what the sweep's axes reach differs"])


def _other(workdir: Path, lines: Sequence[str]) -> UserError:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return UserError(
        f"workdir {workdir} belongs to another config: {'; '.join(lines[:_SHOWN])}{more}. "
        "Choose another --workdir, or none"
    )


def _kind(saved: dict[str, Any], here: dict[str, Any]) -> str:
    """What makes two configs so different that their other keys say nothing more, or nothing."""
    there, now = flatten(saved), flatten(here)
    kinds = [{key: one[key] for key in _KINDS if key in one} for one in (there, now)]
    if lines := differences(*kinds):
        return "; ".join(lines)
    if ("sweep" in saved) != ("sweep" in here):
        return f"it is {'a' if 'sweep' in saved else 'no'} sweep"
    return ""


def _axes(saved: dict[str, Any], here: dict[str, Any]) -> str:
    """How the axes of two sweeps differ, in words, or nothing."""
    if "sweep" not in here:
        return ""
    there, now = _values(saved["sweep"]["members"]), _values(here["sweep"]["members"])
    if there == now and [*there] != [*now]:
        return f"the sweep's axes are {', '.join(there)} there and {', '.join(now)} here"
    lines = differences(there, now)
    return f"the sweep's axes differ: {'; '.join(lines)}" if lines else ""


def _values(members: Sequence[Any]) -> dict[str, str]:
    """Every axis of a sweep with its values, as `{"alpha": "0.1,0.5"}`."""
    values: dict[str, dict[str, None]] = {}
    for labels, _ in members:
        for label in labels:
            axis, _, value = label.partition("=")
            values.setdefault(axis, {})[value] = None
    return {axis: ",".join(found) for axis, found in values.items()}


def _sources(config: ConfigDict, saved: dict[str, Any]) -> list[str]:
    """The keys in which a config differs from a saved one, without those that follow from them.

    Some follow if they agree as soon as the others do: a config's references say what follows what.
    """
    theirs = flatten(saved)

    def differing(keys: list[str]) -> list[str]:
        """What still differs where these keys have the saved values."""
        trial = copy.deepcopy(config)
        for key in keys:
            value = theirs.get(key)
            # A value that this config cannot hold stays different.
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                trial.update_from_flattened_dict(
                    {key: tuple(value) if isinstance(value, list) else value}
                )
        mine = flatten(plain(trial))
        return [
            key
            for key in sorted({*theirs, *mine}, key=lambda key: (key.count("."), key))
            if theirs.get(key, ...) != mine.get(key, ...) and key not in _WITHOUT_EFFECT
        ]

    left = differing([])
    if len(left) > _SOUGHT:
        return left
    chosen: list[str] = []
    for key in left:
        if key in left:
            chosen.append(key)
            left = differing(chosen)
    for key in tuple(chosen):
        others = [other for other in chosen if other != key]
        if key not in left and differing(others) == left:
            chosen = others
    return chosen


def load_config(workdir: Path) -> ConfigDict:
    """The config that a workdir belongs to.

    Raises:
        UserError: the folder is no workdir.
    """
    path = workdir / "config.json"
    if not path.exists():
        raise UserError(f"{workdir} is not a workdir: it has no config.json")
    return ConfigDict(_config(path), convert_dict=True)


def record_split(workdir: Path, data: DataSet) -> None:
    """Writes `split.json`: class names, the ids of each split, a digest of images and labels."""
    path = workdir / "split.json"
    if path.exists():
        check_split(workdir, data)
    else:
        write_json(path, _split(data), indent=None)


def check_split(workdir: Path, data: DataSet) -> None:
    """Makes sure that the data is what the run was trained on.

    Raises:
        UserError: it has changed since.
    """
    path = workdir / "split.json"
    recorded, now = _read(path) if path.exists() else {}, _split(data)
    # Earlier versions kept no class names.
    if any(recorded[key] != now[key] for key in now if key in recorded):
        raise UserError(
            f"{workdir} was trained on other images, other classes or another split of "
            f"{data.source}: the data has changed since"
        )


def seen(workdir: Path, data: DataSet, by: Sequence[str]) -> dict[str, int]:
    """How many of a data set's validation and test images the splits `by` of another run have.

    Raises:
        UserError: that run was trained on other images.
    """
    record = _read(workdir / "split.json", content=str, ids=dict)
    if record["content"] != data.content:
        raise UserError(f"{workdir} was trained on other images than {data.source} has now")
    theirs = [index for name in by for index in record["ids"].get(name, [])]
    return {
        name: int(np.isin(data.splits[name].id, theirs).sum())
        for name in ("validation", "test")
        if name in data.splits
    }


def record_restored(workdir: Path, origins: dict[str, Any]) -> None:
    """Writes `restored.json`, where networks from other runs come from and what they are.

    Raises:
        UserError: one of them is no longer what the run began with.
    """
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


def _split(data: DataSet) -> dict[str, Any]:
    ids = {name: np.sort(split.id).tolist() for name, split in data.splits.items()}
    return {"content": data.content, "class_names": list(data.class_names), "ids": ids}


def load_result(workdir: Path) -> dict[str, Any] | None:
    """What `result.json` holds, or None where there is none yet.

    Raises:
        UserError: it is damaged.
    """
    path = workdir / "result.json"
    if not path.exists():
        return None
    result = _read(path, finished=bool, networks=dict, stages=dict)
    for name, figures in result["networks"].items():
        if not isinstance(figures, dict) or _FIGURES - figures.keys():
            raise UserError(f"{path} is damaged: networks.{name} is no record of a network")
    return result


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys, as `{"data.seed": 0, ...}`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def differences(theirs: dict[str, Any], mine: dict[str, Any]) -> list[str]:
    missing = "absent"
    return [
        f"{key} is {theirs.get(key, missing)} there and {mine.get(key, missing)} here"
        for key in sorted({*theirs, *mine})
        if theirs.get(key, missing) != mine.get(key, missing)
    ]


def _config(path: Path) -> dict[str, Any]:
    """What a `config.json` holds."""
    return _read(path, data=dict, networks=dict, stages=dict, stage_order=list)


def _read(path: Path, **needed: type) -> Any:
    """An object as JSON holds it, in which every key of `needed` has a value of that type.

    Raises:
        UserError: the file is damaged, or cannot be read.
    """
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} is damaged: it holds a {type(found).__name__}, and no object")
    wrong = [key for key, kind in needed.items() if not isinstance(found.get(key), kind)]
    if wrong:
        raise UserError(f"{path} is damaged: it has no {', '.join(wrong)}")
    return found
