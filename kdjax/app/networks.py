"""Networks as ONNX files for browsers, each with its maps as further outputs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kdjax.evaluation import attention_maps, exported
from kdjax.evaluation.run_evaluation import Evaluation
from kdjax.models.networks import linen
from kdjax.runs import workdir
from kdjax.step.types import LoadedNetwork
from kdjax.system import runtime
from kdjax.system.progress import Bar


def write(
    evaluation: Evaluation, directory: Path, rows: Sequence[str], folder: Path
) -> list[dict[str, Any]]:
    """Writes `network-<i>.onnx` for each row of an evaluation's record.

    Args:
        evaluation: of the run.
        directory: the run's workdir.
        rows: the networks, by their names in the record.
        folder: gets the files.

    Returns:
        For each row its `name`, `file`, `layers` (those with a map, in order), and what the record
        says of it.
    """
    entries = []
    with Bar("exporting", len(rows)) as bar:
        for place, row in enumerate(rows):
            layers = map_layers(evaluation, row)
            file = f"network-{place}.onnx"
            network = loaded(evaluation, directory, row)
            exported.export_onnx(network, folder / file, features=layers)
            measures = evaluation.record["networks"][row]
            entries.append(
                {
                    "name": row,
                    "file": file,
                    "bytes": (folder / file).stat().st_size,
                    "layers": layers,
                    "teacher": row == evaluation.record["teacher"],
                    "final": row == measures["network"],
                    "workdir": measures["workdir"],
                    "accuracy": measures["accuracy"],
                    "parameters": measures["cost"]["parameters"],
                }
            )
            bar.to(place + 1)
    return entries


def loaded(evaluation: Evaluation, directory: Path, row: str) -> LoadedNetwork:
    """The network of a row, with the variables that the evaluation used, also of a run that has not
    finished."""
    restored, record = evaluation.networks[row], evaluation.record
    plan, measures = evaluation.plan, record["networks"][row]
    config = workdir.load_config(directory)
    environment = runtime.environment()
    return LoadedNetwork(
        name=row,
        network=restored.network,
        state=restored.state,
        preprocessing=restored.network.preprocessing or plan.preprocessing,
        image_shape=plan.data.image_shape,
        crop=bool(config.data.crop),
        class_names=tuple(record["class_names"]),
        multi_label=record["multi_label"],
        origin={
            "workdir": measures["workdir"] or str(directory),
            "network": restored.name,
            "stage": restored.stage,
            "step": restored.step,
            "parameters": measures["cost"]["parameters"],
            record["split"]: {"accuracy": measures["accuracy"]},
            "method": record["method"],
            "data": record["dataset"],
            "versions": environment["versions"],
            "git_commit": environment["git_commit"],
        },
    )


def map_layers(evaluation: Evaluation, row: str) -> list[str]:
    """The layers of a network whose activations are maps of more than one place, in order.

    Those before an activation function are left out.
    """
    restored = evaluation.networks[row]
    features = linen.output_shapes(restored.network, restored.state).features
    shapes = {name: value.shape for name, value in features.items()}
    return [
        name
        for name, shape in shapes.items()
        if len(shape) == 4 and shape[1] * shape[2] > 1 and not name.endswith("_pre")
    ]


def shown_layers(layers: Sequence[Sequence[str]]) -> list[str]:
    """The layers that the page shows first: the last ones that all networks have, or else the last
    one of the first network that has any."""
    with_maps = [names for names in layers if names]
    if not with_maps:
        return []
    return attention_maps.common(with_maps) or list(with_maps[0])[-1:]
