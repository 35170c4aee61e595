"""Whether teachers are worth learning from: their accuracy on validation, before students learn."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdjax.config.plan import Plan, Stage
from kdjax.data.types import Split
from kdjax.step.types import NetState
from kdjax.system.progress import console
from kdjax.training import scores
from kdjax.training.feed import Feed
from kdjax.training.layouts import Layout


def measure(
    plan: Plan,
    layout: Layout,
    validation: Feed | None,
    stage: Stage,
    teachers: Mapping[str, NetState],
    known: Mapping[str, Any],
) -> dict[str, float]:
    """Measures and prints the accuracy of a stage's teachers on validation.

    A warning follows for a teacher that is no better than an answer that is the same for all
    images: chance, or the largest class.

    Args:
        plan: of the run.
        layout: of the devices.
        validation: the validation split, if there is one.
        stage: reads the teachers.
        teachers: the frozen networks' variables by name.
        known: the run's own records of networks, with their scores on validation.

    Returns:
        Each teacher's accuracy in [0, 1]; a teacher with classes of its own has none.
    """
    own = {name for name, restored in plan.restored.items() if restored.head == "own"}
    if validation is None or not teachers.keys() - own:
        return {}
    new = {n: state for n, state in teachers.items() if n not in own and n not in known}
    evaluate = scores.make(layout, stage.code.member, plan.eval_batch_size, plan.data.attributes)
    measured = evaluate(new, validation) if new else {}
    accuracy = {name: score["accuracy"] for name, score in measured.items()}
    for name in teachers.keys() & known.keys():
        # A network without a last layer has no scores.
        if score := known[name]["validation"]:
            accuracy[name] = score["accuracy"]
    constant = constant_accuracy(plan.data.splits["validation"], len(plan.data.class_names))
    for name in sorted(accuracy):
        text = f"{stage.name}: {name} has {accuracy[name]:.2%} on validation"
        if accuracy[name] <= constant:
            text += (
                f", no more than {constant:.2%}, which the same answer for every image reaches: "
                "look at its classes, their order and its preprocessing before you learn from it"
            )
            console.print(f"warning: {text}", soft_wrap=True)
        else:
            console.print(text, soft_wrap=True)
    return accuracy


def constant_accuracy(split: Split, classes: int) -> float:
    """The accuracy of the best answer that is the same for every image; at least chance.

    For attributes it is the mean over attributes.
    """
    if split.label.ndim == 2:
        share = split.label.mean(axis=0)
        return float(np.maximum(share, 1 - share).mean())
    counts = np.bincount(split.label, minlength=classes)
    return max(1 / classes, float(counts.max() / len(split.label)))
