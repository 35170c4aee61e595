"""Real images, for which --real_data names a folder: counts, labels, and training on them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from configs import ce
from kdjax.config import build_data
from kdjax.data.tfds import writer
from kdjax.training import train

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_device")]


def config_of(dataset, data_dir, path=""):
    config = ce.get_config(dataset)
    config.data.data_dir, config.data.path = str(data_dir), path
    return config


def raw_of(config):
    return build_data.source(config.data.name)(build_data.request(config.data))


def sizes(raw):
    return {name: len(part.id) for name, part in raw.splits.items()}


def train_briefly(config, directory):
    """The student's figures after one epoch on a tenth of the images, at 32 pixels at most."""
    import jax

    config.epochs = 1
    config.data.fraction = 0.1
    config.data.size = min(config.data.size, 32)
    config.batch_size = 16
    config.tensorboard = False
    with jax.numpy_dtype_promotion("standard"):
        return train.run(config, directory)["networks"]["student"]


def test_mnist(real_data, tmp_path):
    writer.prepare("mnist", manual_dir=real_data("mnist"), data_dir=str(tmp_path))
    raw = raw_of(config_of("mnist", tmp_path))
    assert sizes(raw) == {"train": 60_000, "test": 10_000}
    assert raw.splits["train"].image.read().mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    np.testing.assert_array_equal(
        np.bincount(raw.splits["test"].label),
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    )
    assert train_briefly(config_of("mnist", tmp_path), tmp_path / "run")["test"]["accuracy"] > 0.9


def test_cifar10_as_a_folder(real_data, tmp_path):
    path = real_data("CIFAR-10-images.zip")
    raw = raw_of(config_of("cifar10", tmp_path, path))
    assert sizes(raw) == {"train": 50_000, "test": 10_000}
    assert (np.bincount(raw.splits["train"].label) == 5_000).all()
    figures = train_briefly(config_of("cifar10", tmp_path, path), tmp_path / "run")
    assert figures["test"]["accuracy"] > 0.3


def test_uc_merced_as_a_folder(real_data, tmp_path):
    path = real_data("UCMerced_LandUse.zip")
    raw = raw_of(config_of("uc_merced", tmp_path, path))
    assert sizes(raw) == {"train": 2_100}
    assert np.bincount(raw.splits["train"].label).tolist() == [100] * 21
    figures = train_briefly(config_of("uc_merced", tmp_path, path), tmp_path / "run")
    assert figures["test"]["loss"] < 2 * np.log(21)


def test_aid(real_data, tmp_path):
    archive = real_data("AID.zip")
    writer.prepare("aid", manual_dir=str(Path(archive).parent), data_dir=str(tmp_path))
    raw = raw_of(config_of("aid", tmp_path))
    assert sizes(raw) == {"train": 10_000}
    counts = np.bincount(raw.splits["train"].label)
    assert len(counts) == 30
    assert (counts.min(), counts.max()) == (220, 420)
    assert train_briefly(config_of("aid", tmp_path), tmp_path / "run")["test"]["accuracy"] > 0.1


def test_celeb_a(real_data, tmp_path):
    path = real_data("celeb_a")
    raw = raw_of(config_of("celeb_a", tmp_path, path))
    assert sizes(raw) == {"train": 5_000, "validation": 500, "test": 500}
    assert len(raw.class_names) == 40
    # The official first line: 000001.jpg has these.
    names, label = np.array(raw.class_names), raw.splits["train"].label[0].astype(bool)
    first = set(names[label])
    assert {"Arched_Eyebrows", "Attractive", "Brown_Hair", "Smiling", "Young"} <= first
    assert "Male" not in first
    figures = train_briefly(config_of("celeb_a", tmp_path, path), tmp_path / "run")["test"]
    accuracies = [value for name, value in figures.items() if name.startswith("attribute/")]
    assert len(accuracies) == 40
    assert figures["accuracy"] == pytest.approx(np.mean(accuracies))
    assert figures["accuracy"] > 0.75


def test_celeb_a_of_another_attribute_count(real_data, tmp_path):
    """The same faces with the first three attributes, and no partition."""
    root = Path(real_data("celeb_a"))
    lines = (root / "list_attr_celeba.txt").read_text().splitlines()
    keep = [" ".join(line.split()[:4]) for line in lines[2:]]
    few = [lines[0], " ".join(lines[1].split()[:3]), *keep]
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "list_attr_few.txt").write_text("\n".join(few))
    shutil.copy(root / "img_align_celeba.zip", tmp_path / "few")
    raw = raw_of(config_of("attributes", tmp_path, str(tmp_path / "few")))
    assert sizes(raw) == {"train": 6_000}
    assert raw.class_names == tuple(lines[1].split()[:3])
