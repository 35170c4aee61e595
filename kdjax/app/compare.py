"""What the page compares: test images, their labels, networks, and what Flax predicted of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kdjax.app import drawing, networks, strip
from kdjax.evaluation import records
from kdjax.evaluation.run_evaluation import Evaluation
from kdjax.runs import workdir, writers

FILE = "compare.json"
IMAGES = "images.bin"
_MEASURED = 2000
"""Training images that are read to see what drawings look like."""


def write(
    evaluation: Evaluation, directory: Path, rows: Sequence[str], folder: Path, *, images: int
) -> None:
    """Writes `compare.json`, `images.bin` (uint8 `[n, h, w, c]`) and an ONNX file for each network.

    Args:
        evaluation: of the run.
        directory: the run's workdir.
        rows: the networks, by their names in the record.
        folder: gets the files.
        images: the largest number of test images.
    """
    record, split, data = evaluation.record, evaluation.split, evaluation.plan.data
    multi_label = record["multi_label"]
    final = [row for row in records.final(record) if row in rows]
    chosen = strip.choose(evaluation, final, images)
    places = np.array([*chosen["telling"], *chosen["spread"]], np.int64)
    writers.make_folder(folder)
    with writers.replacing(folder / IMAGES) as fresh:
        fresh.write_bytes(split.image.read(places).tobytes())
    entries = networks.write(evaluation, directory, rows, folder)
    for entry in entries:
        logits = np.asarray(evaluation.predictions[entry["name"]].logits[places], np.float64)
        shares = strip.probabilities(logits, multi_label=multi_label)
        # JSON has no NaN: a network that diverged has no probabilities.
        entry["probabilities"] = [
            row.tolist() if np.isfinite(row).all() else None for row in shares
        ]
    train = data.splits["train"].image
    sample = np.linspace(0, len(train) - 1, min(len(train), _MEASURED)).astype(np.int64)
    config = workdir.load_config(directory)
    value = {
        "image_shape": list(data.image_shape),
        "crop": bool(config.data.crop),
        "class_names": list(record["class_names"]),
        "multi_label": multi_label,
        "split": records.evaluated_images(record),
        "examples": record["examples"],
        "images": {
            "file": IMAGES,
            "labels": split.label[places].tolist(),
            "telling": len(chosen["telling"]),
        },
        "networks": entries,
        "layers": networks.shown_layers([entry["layers"] for entry in entries]),
        "drawing": drawing.describe(train.read(sample)) if data.image_shape[2] == 1 else None,
    }
    writers.write_json(folder / FILE, value, indent=None)
