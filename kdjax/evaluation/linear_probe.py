"""Linear probes: how well a linear classifier reads the classes of a labelled set in features.

Alain and Bengio, Understanding intermediate layers using linear classifier probes,
arXiv:1610.01644. The networks stay as they are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kdjax.config import build, build_data
from kdjax.data.sources import folder
from kdjax.evaluation import predictions
from kdjax.runs import restore, workdir
from kdjax.runs.restore import RestoredNetwork
from kdjax.system import discover
from kdjax.system.errors import UserError
from kdjax.system.progress import Bar, table
from kdjax.training import layouts

_INVERSE_PENALTIES = (0.001, 0.01, 0.1, 1.0)
"""Values of scikit-learn's `C`; validation accuracy chooses one."""


class Probe(NamedTuple):
    """A network's linear probe."""

    accuracy: float
    """Test accuracy in [0, 1]."""
    validation: float
    """Validation accuracy."""
    inverse_penalty: float
    dimensions: int
    """The number of features."""


def fit(
    features: dict[str, np.ndarray], label: dict[str, np.ndarray], name: str = "probe"
) -> Probe:
    """Trains logistic regressions on standardised features, and tests the best on validation.

    Args:
        features: `[n, c]` of the splits `train`, `validation` and `test`.
        label: `[n]` class indices of each.
        name: of the network, for the progress bar.
    """
    best: tuple[float, float, Any] | None = None
    with Bar(f"probe of {name}", len(_INVERSE_PENALTIES)) as bar:
        for done, penalty in enumerate(_INVERSE_PENALTIES, start=1):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000))
            model.fit(features["train"], label["train"])
            score = float(model.score(features["validation"], label["validation"]))
            if best is None or score > best[0]:
                best = score, penalty, model
            bar.to(done)
    assert best is not None
    validation, penalty, model = best
    accuracy = float(model.score(features["test"], label["test"]))
    return Probe(accuracy, validation, penalty, features["train"].shape[1])


def probe(
    directory: Path, path: str, names: Sequence[str] = (), layer: str = "pooled"
) -> dict[str, Any]:
    """Probes of a run's networks on a labelled set of its own classes.

    Args:
        directory: the workdir.
        path: class folders, a zip or tar of them, or IDX files; split as a run splits a folder.
        names: of networks; none for all, with those of other runs.
        layer: the activation; maps are averaged over positions.

    Returns:
        `{"workdir", "probe", "layer", "classes", "examples": {split: n}, "networks": {name: ..}}`
        with `Probe`'s fields for each network.

    Raises:
        UserError: no such workdir, network, layer or labelled set.
    """
    config = workdir.load_config(directory)
    if config.method == workdir.IMPORT:
        raise UserError(
            f"{directory} is an imported network: --probe takes runs, and probes their teachers too"
        )
    plan = build.plan(config, devices=1)
    replicate = layouts.Layout(plan.parallel).replicate
    networks: dict[str, RestoredNetwork] = {
        **{n: restore.other_runs_network(plan, replicate, n) for n in plan.restored},
        **restore.run_networks(directory, plan, replicate, at=None, stage=None),
    }
    for name in names:
        if name not in networks:
            raise discover.unknown("network", name, networks)
    networks = {name: networks[name] for name in names or networks}
    raw = folder.read(build_data.request(config.data)._replace(path=path))
    with config.unlocked():
        config.data.validation, config.data.refit = config.data.validation or 0.1, False
    data = build_data.split(raw, config.data)
    there = plan._replace(data=data, streaming=build_data.streaming(config, data))
    features: dict[str, dict[str, np.ndarray]] = {name: {} for name in networks}
    for name, split in data.splits.items():
        of_split = predictions.predict_split(networks, there, split, layer, features=len(split.id))
        for network, outputs in of_split.items():
            if layer not in outputs.features:
                raise UserError(f"network {network!r} has no activation {layer!r}")
            features[network][name] = outputs.features[layer]
    label = {name: split.label for name, split in data.splits.items()}
    return {
        "workdir": str(directory),
        "probe": raw.source,
        "layer": layer,
        "classes": len(data.class_names),
        "examples": {name: len(split.id) for name, split in data.splits.items()},
        "networks": {
            name: fit(by_split, label, name)._asdict() for name, by_split in features.items()
        },
    }


def show(record: dict[str, Any]) -> None:
    """Prints the test accuracy of every network's probe."""
    rows = [
        [
            name,
            f"{values['dimensions']:,}",
            f"{values['validation']:.2%}",
            f"{values['accuracy']:.2%}",
        ]
        for name, values in record["networks"].items()
    ]
    examples = record["examples"]
    table(
        f"Linear probes on {record['probe']}",
        ["network", "features", "validation", "test"],
        rows,
        f"Logistic regression on the standardised activation {record['layer']!r}, trained on "
        f"{examples['train']:,} images of {record['classes']} classes, tested on "
        f"{examples['test']:,}. {record['workdir']}",
    )
