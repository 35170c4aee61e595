"""Networks' predictions on a split, and what an evaluation keeps so that a report reads it back.

`predictions.npz` holds logits by a digest of all that they depend on: the compiled program, the
network's variables, and the images. `evaluation.json` has that digest beside every network.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from kdjax.config.plan import Plan
from kdjax.data.types import Split
from kdjax.evaluation import cost, measures
from kdjax.runs import restore
from kdjax.runs.restore import RestoredNetwork
from kdjax.step.types import NetState, Network, Outputs
from kdjax.system import runtime
from kdjax.system.progress import Bar
from kdjax.training import layouts, scores
from kdjax.training.scores import Predictions

FILE = "predictions.npz"
FEATURES = 10_000
"""The largest number of images on which features are compared."""

Networks = Mapping[str, RestoredNetwork]
"""Networks by their names in the record."""


class Digests(NamedTuple):
    """Digests of everything that the measures of one network depend on."""

    program: str
    """Of its compiled program, which decides how long a prediction takes."""
    network: str
    """Of the program and the variables."""
    predictions: str
    """Of the program, the variables and the images."""


class Kept(NamedTuple):
    """Results of earlier evaluations."""

    logits: dict[str, np.ndarray]
    """`[n, k]`, by `Digests.predictions`."""
    similarity: dict[tuple[str, str, str], measures.Values]
    """By `Digests.predictions` of a network and of its teacher, and the layer."""
    times: dict[tuple[str, str, int], dict[str, Any]]
    """By `Digests.network` and by `Digests.program`, device and batch size."""


NOTHING = Kept({}, {}, {})


def digests(networks: Networks, plan: Plan, split: Split) -> dict[str, Digests]:
    """The digests of every network on the images of a split."""
    images = hashlib.sha256(
        json.dumps([plan.data.source, plan.data.content, dict(plan.appearance)]).encode()
    )
    images.update(np.ascontiguousarray(split.id).tobytes())
    images.update(np.ascontiguousarray(split.label).tobytes())
    programs: dict[Network, str] = {}
    found = {}
    for name, restored in networks.items():
        if restored.network not in programs:
            text = cost.program_text(restored.network, restored.state, plan.data.image_shape)
            programs[restored.network] = _sha256(text)
        program, state = programs[restored.network], restore.digest(restored.state)
        found[name] = Digests(
            program=program,
            network=_sha256(f"{program} {state}"),
            predictions=_sha256(f"{program} {state} {images.hexdigest()}"),
        )
    return found


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def predict(
    networks: Networks,
    students: Sequence[str],
    teacher: str,
    *,
    plan: Plan,
    split: Split,
    layer: str,
    digests: Mapping[str, Digests],
    kept: Kept,
) -> tuple[dict[str, Predictions], dict[str, measures.Values]]:
    """Predictions of all networks, and the similarity of students to their teacher.

    Args:
        networks: all of them, with the teacher.
        students: the networks that are compared with the teacher.
        teacher: its name.
        plan: the run's.
        split: the images.
        layer: the activation that is compared.
        digests: the networks'.
        kept: what is in it is not computed again.
    """
    similarity = {
        name: kept.similarity[key]
        for name in students
        if (key := (digests[name].predictions, digests[teacher].predictions, layer))
        in kept.similarity
    }
    # Features are not kept: networks that are still to be compared predict again.
    compared = [name for name in students if name not in similarity]
    again = {*compared, teacher} if compared else set()
    known = {
        name: Predictions(kept.logits[digest.predictions], {})
        for name, digest in digests.items()
        if digest.predictions in kept.logits and name not in again
    }
    missing = {name: restored for name, restored in networks.items() if name not in known}
    computed = known | (_predict(missing, plan, split, layer) if missing else {})
    for name in compared:
        pair = computed[name], computed[teacher]
        multi_label = bool(plan.data.attributes)
        student, its_teacher = (
            measures.prediction(outputs.logits, multi_label=multi_label) for outputs in pair
        )
        both = all(layer in outputs.features for outputs in pair)
        features = (pair[0].features[layer], pair[1].features[layer]) if both else None
        similarity[name] = measures.against_teacher(student, its_teacher, features)
    return {name: computed[name] for name in networks}, similarity


def _predict(networks: Networks, plan: Plan, split: Split, layer: str) -> dict[str, Predictions]:
    """Every batch is read once; what stages and members left of one network shares its program."""
    layout = layouts.Layout(plan.parallel, streaming=plan.streaming)
    code = plan.stages[0].code
    steps = {
        network: layout.predict_step(
            code._replace(networks={"network": network}, swept=None), layer
        )
        for network in {restored.network for restored in networks.values()}
    }

    def step(states: dict[str, NetState], *batch: Any) -> dict[str, Outputs]:
        return {
            name: steps[networks[name].network]({"network": state}, *batch)["network"]
            for name, state in states.items()
        }

    states = {name: restored.state for name, restored in networks.items()}
    size, feed = plan.eval_batch_size, layout.feed(split)
    with Bar("predicting", math.ceil(len(split.id) / size)) as bar:
        return scores.predictions(step, layout, size, states, feed, features=FEATURES, each=bar.to)


def read(folders: Iterable[Path]) -> Kept:
    """What evaluations wrote to these folders; prints which files cannot be read."""
    kept = Kept({}, {}, {})
    for folder in folders:
        path = folder / FILE
        if not path.exists():
            continue
        try:
            with np.load(path) as file:
                logits = dict(file)
            path = folder / "evaluation.json"
            written = json.loads(path.read_text())
            for record in written.get("runs", [written]):
                _keep(record, kept)
            kept.logits.update(logits)
        except (OSError, ValueError, LookupError, AttributeError, TypeError, BadZipFile) as error:
            reason = " ".join(str(error).split())[:80]
            print(f"{path} cannot be read back ({reason}): its networks predict again")
    return kept


def _keep(record: dict[str, Any], kept: Kept) -> None:
    """Adds the similarities and the times of a record."""
    teacher, layer = record["teacher_predictions"], record["layer"]
    for network in record["networks"].values():
        digests = network["digests"]
        if network["teacher"]:
            kept.similarity[digests["predictions"], teacher, layer] = network["teacher"]
        times = {name: network["cost"][name] for name in cost.UNTIMED}
        if times["throughput"] is not None:
            for digest in (digests["network"], digests["program"]):
                kept.times[digest, record["device"], times["throughput_batch"]] = times


def kept_times(
    kept: Kept, digests: Mapping[str, Digests], batch_size: int
) -> dict[str, dict[str, Any]]:
    """By name how long a network took on this device, where that was measured.

    Its own time counts before that of another network of the same program.
    """
    return {
        name: kept.times[key]
        for name, digest in digests.items()
        for kind in (digest.program, digest.network)
        if (key := (kind, runtime.devices(), batch_size)) in kept.times
    }
