"""What an evaluation leaves on disk so that a report need not compute it again.

`predictions.npz` holds logits by a digest of all that they depend on: the compiled program, the
network's variables, and the images. `evaluation.json` has that digest beside every network.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from kdjax.config.plan import Plan
from kdjax.data.types import Split
from kdjax.evaluation import cost
from kdjax.runs import restore, writers
from kdjax.runs.restore import Found
from kdjax.step.types import Network
from kdjax.system import runtime

FILE = "predictions.npz"


class Digests(NamedTuple):
    """What figures of one network depend on."""

    program: str
    """What its time depends on, beside the machine's other work."""
    network: str
    """StageCode and variables."""
    predictions: str
    """Its logits."""


class Kept(NamedTuple):
    """What earlier evaluations computed."""

    logits: Mapping[str, np.ndarray]
    """By `Digests.predictions`, `[n, k]`."""
    likeness: Mapping[tuple[str, str, str], dict[str, Any]]
    """By the predictions of a network and of its teacher, and the layer."""
    times: Mapping[tuple[str, str, int], dict[str, Any]]
    """By `Digests.network` and by `Digests.program`, device and size of a batch."""


NOTHING = Kept({}, {}, {})


def digests(found: Mapping[str, Found], plan: Plan, split: Split) -> dict[str, Digests]:
    """Of every network.

    Args:
        found: the networks by row.
        plan: the run's.
        split: the images that are predicted.
    """
    images = hashlib.sha256(
        json.dumps([plan.data.source, plan.data.content, dict(plan.appearance)]).encode()
    )
    images.update(np.ascontiguousarray(split.id).tobytes())
    images.update(np.ascontiguousarray(split.label).tobytes())
    programs: dict[Network, str] = {}
    made = {}
    for row, one in found.items():
        if one.network not in programs:
            text = cost.text(one.network, one.state, plan.data.image_shape)
            programs[one.network] = hashlib.sha256(text.encode()).hexdigest()
        program = programs[one.network]
        network, predictions = (
            hashlib.sha256(" ".join([program, restore.digest(one.state), *more]).encode())
            for more in ([], [images.hexdigest()])
        )
        made[row] = Digests(program, network.hexdigest(), predictions.hexdigest())
    return made


def write(folder: Path, logits: Mapping[str, np.ndarray]) -> None:
    """Writes logits by their digests, in place of what was there."""
    writers.write_arrays(folder / FILE, logits)


def read(folders: Iterable[Path]) -> Kept:
    """What evaluations wrote to any of some folders; what cannot be read is left out, and said."""
    logits: dict[str, np.ndarray] = {}
    likeness: dict[tuple[str, str, str], dict[str, Any]] = {}
    times: dict[tuple[str, str, int], dict[str, Any]] = {}
    for folder in folders:
        path = folder / FILE
        if not path.exists():
            continue
        try:
            with np.load(path) as file:
                theirs = dict(file)
            path = folder / "evaluation.json"
            written = json.loads(path.read_text())
            for record in written.get("runs", [written]):
                likeness |= _likeness(record)
                times |= _times(record)
            logits |= theirs
        except (OSError, ValueError, LookupError, AttributeError, TypeError, BadZipFile) as error:
            reason = " ".join(str(error).split())[:80]
            print(f"{path} cannot be read back ({reason}): its networks predict again")
    return Kept(logits, likeness, times)


def _likeness(record: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {
        (
            figures["digests"]["predictions"],
            record["teacher_predictions"],
            record["layer"],
        ): figures["teacher"]
        for figures in record["networks"].values()
        if figures["teacher"]
    }


def _times(record: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
    found = {}
    for figures in record["networks"].values():
        timed = {name: figures["cost"][name] for name in cost.UNTIMED}
        if timed["throughput"] is not None:
            batch = timed["throughput_batch"]
            for kind in ("network", "program"):
                found[figures["digests"][kind], record["device"], batch] = timed
    return found


def times(kept: Kept, digests: Mapping[str, Digests], batch: int) -> dict[str, dict[str, Any]]:
    """By row how long a network took on this device, where that was measured.

    Its own time counts before that of another network of the same program.
    """
    return {
        row: kept.times[key]
        for row, one in digests.items()
        for digest in (one.program, one.network)
        if (key := (digest, runtime.devices(), batch)) in kept.times
    }
