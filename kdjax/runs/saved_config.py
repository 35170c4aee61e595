"""Configs as `config.json` holds them, and how a config differs from a saved one, in words."""

import contextlib
import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

_WITHOUT_EFFECT = tuple(f"data.{key}" for key in ("data_dir", "path", "input", "workers"))
"""Where images are and how they are read: `workdir.check_split` compares the images themselves."""
_KINDS = ("method", "data.name")
"""Where these differ, so do most other keys."""
_MEMBERS = "sweep.members"
"""The values of every member: long, and told by the axes."""
_EPOCHS = re.compile(r"(stages\.\w+\.)?epochs")
_SOUGHT = 200
"""Where more keys differ, the configs have little in common, and causes are not looked for."""


def plain(config: ConfigDict) -> dict[str, Any]:
    """A config as JSON holds it: references resolved, tuples as lists."""
    return jsonable(config.to_dict())


def with_later_keys(config: ConfigDict) -> ConfigDict:
    """A saved config with the keys of networks and stages that kdjax has had since, as defaults.

    A key's default is what a run did before there was the key.
    """
    from configs import parts

    for entry in config.networks.values():
        _add_missing(entry, parts.network(model=""))
    for entry in config.stages.values():
        _add_missing(entry, parts.stage(config, train=(), terms={}))
    return config


def _add_missing(entry: ConfigDict, defaults: ConfigDict) -> None:
    with entry.unlocked():
        for key, value in defaults.to_dict().items():
            if key not in entry:
                entry[key] = ConfigDict(value) if isinstance(value, dict) else value


def jsonable(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A tree as JSON holds it."""
    return json.loads(json.dumps(tree))


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys, as `{"data.seed": 0, ...}`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def differences(
    there: Mapping[str, Any], here: Mapping[str, Any], keys: Iterable[str] | None = None
) -> list[str]:
    """A line for every key, or every key of `keys`, with different values."""
    return [
        f"{key} is {there.get(key, 'absent')} there and {here.get(key, 'absent')} here"
        for key in sorted({*there, *here} if keys is None else keys)
        if there.get(key, "absent") != here.get(key, "absent")
    ]


def compare(config: ConfigDict, saved: dict[str, Any]) -> tuple[list[str], dict[str, int]]:
    """Lines that say how a config differs from a saved config; none where only epochs are added.

    Returns:
        The lines, and for every stage that has more epochs than in the saved config the number
        there.
    """
    here = plain(config)
    there, now = flatten(saved), flatten(here)
    # Next to these differences those of other keys say nothing more.
    if lines := differences(there, now, _KINDS):
        return lines, {}
    if ("sweep" in saved) != ("sweep" in here):
        return [f"it is {'a' if 'sweep' in saved else 'no'} sweep"], {}
    if "sweep" in here and (lines := differences(_axes(saved), _axes(here))):
        return [f"the sweep's axes differ: {'; '.join(lines)}"], {}
    causes = _causes(config, there)
    if all(_EPOCHS.fullmatch(key) and key in there and there[key] < now[key] for key in causes):
        epochs = {name: stage["epochs"] for name, stage in saved["stages"].items()}
        return [], {n: old for n, old in epochs.items() if old < now[f"stages.{n}.epochs"]}
    lines = differences(there, now, {*causes} - {_MEMBERS})
    return lines or ["the sweep's axes have another order, or reach other keys"], {}


def _axes(config: Mapping[str, Any]) -> dict[str, str]:
    """Every axis of a sweep with its values, as `{"alpha": "0.1,0.5"}`."""
    values: dict[str, dict[str, None]] = {}
    for labels, _ in config["sweep"]["members"]:
        for label in labels:
            axis, _, value = label.partition("=")
            values.setdefault(axis, {})[value] = None
    return {axis: ",".join(by_value) for axis, by_value in values.items()}


def _causes(config: ConfigDict, there: dict[str, Any]) -> list[str]:
    """The keys in which a config differs from a saved config, without keys that follow others.

    A key follows others if it agrees as soon as they do: the config's references decide that.
    """

    def differing(keys: Sequence[str]) -> list[str]:
        """The keys that still differ where `keys` have the saved values."""
        trial = copy.deepcopy(config)
        for key in keys:
            value = there.get(key)
            # A value that this config cannot hold stays different.
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
                trial.update_from_flattened_dict(
                    {key: tuple(value) if isinstance(value, list) else value}
                )
        now = flatten(plain(trial))
        return [
            key
            for key in sorted({*there, *now}, key=lambda key: (key.count("."), key))
            if there.get(key, ...) != now.get(key, ...) and key not in _WITHOUT_EFFECT
        ]

    causes = differing([])
    if len(causes) > _SOUGHT:
        return causes
    left = differing(causes)
    for key in reversed(causes):
        others = [cause for cause in causes if cause != key]
        if key not in left and differing(others) == left:
            causes = others
    return causes
