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
from kdjax.system.progress import Bar
from kdjax.training import layouts, scores
from kdjax.training.scores import Predictions

FILE = "predictions.npz"
FEATURES = 10_000
"""The largest number of images on which features are compared."""

Networks = Mapping[str, RestoredNetwork]
"""Networks by their names in the record."""


class Kept(NamedTuple):
    """Results of earlier evaluations."""

    logits: dict[str, np.ndarray]
    """`[n, k]`, by a network's digest."""
    similarity: dict[tuple[str, str, str], measures.Values]
    """Likeness to the teacher; keys are the digests of network and teacher, and the layer."""
    times: dict[tuple[str, str, int], dict[str, Any]]
    """Latency and throughput; keys are the network's digest, the device and the batch size."""


NOTHING = Kept({}, {}, {})


def digests(networks: Networks, plan: Plan, split: Split) -> dict[str, str]:
    """A digest of every network's compiled program and variables and of the images of a split."""
    images = hashlib.sha256(
        json.dumps([plan.data.source, plan.data.content, dict(plan.appearance)]).encode()
    )
    images.update(np.ascontiguousarray(split.id).tobytes())
    images.update(np.ascontiguousarray(split.label).tobytes())
    programs: dict[Network, str] = {}
    digest_of = {}
    for name, restored in networks.items():
        network, state = restored.network, restored.state
        if network not in programs:
            program = cost.program_text(network, state)
            programs[network] = f"{program}{network.preprocessing or ''}"
        parts = programs[network], restore.digest(state), images.hexdigest()
        digest_of[name] = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return digest_of


def predict(
    networks: Networks,
    students: Sequence[str],
    teacher: str,
    *,
    plan: Plan,
    split: Split,
    layer: str,
    digests: Mapping[str, str],
    kept: Kept,
) -> tuple[dict[str, Predictions], dict[str, measures.Values]]:
    """Predictions of all networks, and the similarity of students to the teacher.

    Similarity compares logits and the activation `layer`. Nothing is computed if `kept` has the
    results of all networks.
    """
    pairs = {name: (digests[name], digests[teacher], layer) for name in students}
    # Features are not kept, so a missing similarity needs predictions of both networks.
    if kept.logits.keys() >= {*digests.values()} and kept.similarity.keys() >= {*pairs.values()}:
        known = {name: Predictions(kept.logits[digests[name]], {}) for name in networks}
        return known, {name: kept.similarity[pair] for name, pair in pairs.items()}
    computed = predict_split(networks, plan, split, layer)
    similarity = {}
    for name in students:
        pair = computed[name], computed[teacher]
        student, its_teacher = (
            measures.prediction(outputs.logits, multi_label=bool(plan.data.attributes))
            for outputs in pair
        )
        have_layer = all(layer in outputs.features for outputs in pair)
        features = (pair[0].features[layer], pair[1].features[layer]) if have_layer else None
        similarity[name] = measures.against_teacher(student, its_teacher, features)
    return computed, similarity


def predict_split(
    networks: Networks, plan: Plan, split: Split, layer: str, *, features: int = FEATURES
) -> dict[str, Predictions]:
    """The logits of all networks on a split, and the activation `layer` of the first `features`.

    Every batch is read once; what stages and members left of one network shares its program.
    """
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
        return scores.predictions(step, layout, size, states, feed, features=features, each=bar.to)


def read(folders: Iterable[Path]) -> Kept:
    """Reads the predictions that evaluations wrote to folders; prints damaged files."""
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
    for network in record["networks"].values():
        digest, times = network["digest"], {key: network["cost"][key] for key in cost.UNTIMED}
        if network["teacher"]:
            pair = digest, record["teacher_digest"], record["layer"]
            kept.similarity[pair] = network["teacher"]
        if times["throughput"] is not None:
            kept.times[digest, record["device"], times["throughput_batch"]] = times
