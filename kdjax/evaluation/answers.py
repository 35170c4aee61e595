"""What networks put out on a split, and how alike they are to their teacher."""

import math
from collections.abc import Mapping
from typing import Any

from kdjax.config.plan import Plan
from kdjax.data.types import Split
from kdjax.evaluation.kept import Digests, Kept
from kdjax.evaluation.measures import pairs
from kdjax.runs.restore import Found
from kdjax.step.types import NetState, Outputs
from kdjax.system.progress import Bar
from kdjax.training import layouts, scores
from kdjax.training.scores import Predictions

FEATURES = 10_000
"""Features are compared on so many examples at most, predictions on all."""

Likeness = dict[str, Any]


def find(
    found: Mapping[str, Found],
    shown: Mapping[str, Found],
    teacher: str,
    *,
    plan: Plan,
    split: Split,
    layer: str,
    digests: Mapping[str, Digests],
    before: Kept,
) -> tuple[dict[str, Predictions], dict[str, Likeness]]:
    """Outputs of all networks, and likeness to the teacher of those that are shown.

    Args:
        found: all networks by row.
        shown: the rows of the result.
        teacher: its row, or nothing.
        plan: the run's.
        split: the images.
        layer: whose features are compared.
        digests: of `kept.digests`.
        before: what earlier evaluations computed, which is not computed again.
    """
    students = [row for row in shown if teacher and row != teacher]
    likeness = {
        row: before.likeness[key]
        for row in students
        if (key := (digests[row].predictions, digests[teacher].predictions, layer))
        in before.likeness
    }
    # Features are not kept: networks that are still to be compared predict again.
    compared = [row for row in students if row not in likeness]
    again = {*compared, teacher} if compared else set()
    known = {
        row: Predictions(before.logits[one.predictions], {})
        for row, one in digests.items()
        if one.predictions in before.logits and row not in again
    }
    lacking = {row: one for row, one in found.items() if row not in known}
    made = known | (_predict(lacking, plan, split, layer) if lacking else {})
    several = bool(plan.data.attributes)
    likeness |= {row: _against(made[row], made[teacher], layer, several) for row in compared}
    return {row: made[row] for row in found}, likeness


def _predict(
    found: Mapping[str, Found], plan: Plan, split: Split, layer: str
) -> dict[str, Predictions]:
    """Every batch is read once; rows of one network, as members of a sweep, share its program."""
    layout = layouts.make(plan.parallel, streaming=plan.streaming)
    base, name = plan.stages[0].code, "network"
    steps = {
        network: layout.predict_step(base._replace(networks={name: network}, swept=None), layer)
        for network in {one.network for one in found.values()}
    }

    def step(states: dict[str, NetState], *batch: Any) -> dict[str, Outputs]:
        return {
            row: steps[found[row].network]({name: state}, *batch)[name]
            for row, state in states.items()
        }

    states = {row: one.state for row, one in found.items()}
    size, feed = plan.eval_batch_size, layout.feed(split)
    with Bar("predicting", math.ceil(len(split.id) / size)) as bar:
        return scores.predictions(step, layout, size, states, feed, features=FEATURES, each=bar.to)


def _against(mine: Predictions, theirs: Predictions, layer: str, several: bool) -> Likeness:
    found = pairs.predictions(mine.logits, theirs.logits, attributes=several)
    both = layer in mine.features and layer in theirs.features
    nothing: Likeness = {"cosine": None, "cka": None}
    return found | (
        pairs.features(mine.features[layer], theirs.features[layer]) if both else nothing
    )
