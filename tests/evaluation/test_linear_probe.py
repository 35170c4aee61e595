"""Linear probes of features, and label-free distillation of images without labels."""

import importlib.util
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from configs import ce, label_free
from kdjax.evaluation import exported, linear_probe
from kdjax.system.errors import UserError
from kdjax.training import train
from tests.helpers import small

pytestmark = pytest.mark.usefixtures("standard", "one_device")


def features(noise, classes=3, count=60):
    rng = np.random.default_rng(0)
    label = {name: np.arange(count) % classes for name in ("train", "validation", "test")}
    centre = rng.normal(size=(classes, 8))
    values = {
        name: centre[index] + noise * rng.normal(size=(count, 8)) for name, index in label.items()
    }
    return values, label


def test_separable_features_are_read_and_noise_is_not():
    clear = linear_probe.fit(*features(0.01))
    assert clear.accuracy == clear.validation == 1.0
    assert clear.dimensions == 8
    _, label = features(0.0)
    noise = {name: np.random.default_rng(1).normal(size=(60, 8)) for name in label}
    assert linear_probe.fit(noise, label).accuracy < 0.6


def test_scale_and_offset_of_a_dimension_do_not_matter():
    values, label = features(1.0)
    moved = {name: x * 10.0 ** np.arange(-4, 4) + 100.0 for name, x in values.items()}
    assert linear_probe.fit(values, label) == linear_probe.fit(moved, label)


@pytest.fixture
def images(tmp_path):
    """Digits as images: of each class in a folder, and others without labels."""
    data = load_digits()
    for index in range(1000):
        pixels = Image.fromarray((data.images[index] * 15.9).astype(np.uint8))
        labelled = index < 400
        folder = tmp_path / ("labelled" if labelled else "unlabelled/a/b")
        folder /= f"digit{data.target[index]}" if labelled else str(index % 2)
        folder.mkdir(parents=True, exist_ok=True)
        pixels.save(folder / f"{index}.png")
    return tmp_path


def test_a_student_learns_features_without_labels(images, tmp_path, capsys):
    """It explains over half of the variance of the teacher's features; one that stays, none."""
    teacher = small(ce)
    teacher.epochs, teacher.data.fraction = 6, 1.0
    train.run(teacher, tmp_path / "teacher")
    results, losses = {}, {}
    for name, rate in (("learned", 3e-3), ("fresh", 1e-30)):
        config = small(label_free, "unlabelled")
        config.networks.teacher.workdir = str(tmp_path / "teacher")
        config.data.path, config.data.data_dir = str(images / "unlabelled"), str(tmp_path)
        config.data.fraction, config.epochs, config.learning_rate = 1.0, 10, rate
        config.data.augment.pad, config.data.augment.flip = 0, False
        config.data.mean, config.data.std = (0.3,), (0.3,)
        config.data.normalisation = "dataset"
        for network in config.networks.values():
            network.dropout = 0.0
        result = train.run(config, tmp_path / name)
        assert result["networks"]["student"]["test"] is None
        assert result["data"]["examples"] == {"train": 600}
        record = linear_probe.probe(tmp_path / name, str(images / "labelled"))
        linear_probe.show(record)
        results[name] = record["networks"]
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        losses[name] = json.loads(lines[-1])["train/standardised"]
    if importlib.util.find_spec("safetensors"):
        chosen = exported.Options(tmp_path / "learned", format="safetensors", timing=False)
        record = exported.export(chosen._replace(images=20))
        assert record["images"] == {"count": 20, "kind": "training images without labels"}
        assert record["metadata"]["class_names"] == []
    text = capsys.readouterr().out
    assert "Linear probes on folder labelled" in text
    assert results["learned"]["teacher"] == results["fresh"]["teacher"]
    assert results["learned"]["teacher"]["accuracy"] > 0.8
    assert results["learned"]["student"]["accuracy"] > 0.8
    assert losses["learned"] < 0.5 < 0.9 < losses["fresh"]
    with pytest.raises(UserError, match="unknown network 'studnt'"):
        linear_probe.probe(tmp_path / "learned", str(images / "labelled"), ["studnt"])
    with pytest.raises(UserError, match="has no activation 'stage9'"):
        linear_probe.probe(tmp_path / "learned", str(images / "labelled"), layer="stage9")
