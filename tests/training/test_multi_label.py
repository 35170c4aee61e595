"""Attributes all the way: losses, metrics, records and evaluation of a run on tiny faces."""

import io
import json

import jax
import numpy as np
import pytest
from PIL import Image

from configs import dml
from kdjax.config.build import plan as make_plan
from kdjax.data import stream
from kdjax.step import step
from kdjax.step.types import Batch
from kdjax.training import train
from tests.helpers import evaluated

NAMES = ("Bright", "Round", "Never")
COUNT = 60


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """`Bright` can be seen, `Round` is chance, and `Never` is never there."""
    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    values = np.stack([np.arange(COUNT) % 2, rng.integers(0, 2, COUNT), np.zeros(COUNT, int)], 1)
    lines = [
        f"{i}.png " + " ".join("1" if v else "-1" for v in row) for i, row in enumerate(values)
    ]
    (root / "list_attr_faces.txt").write_text("\n".join([str(COUNT), " ".join(NAMES), *lines]))
    for index, row in enumerate(values):
        encoded = io.BytesIO()
        noise = rng.integers(0, 60, (10, 8, 3)) + 150 * row[0]
        Image.fromarray(noise.astype(np.uint8)).save(encoded, "PNG")
        (root / f"{index}.png").write_bytes(encoded.getvalue())
    return root


def config_for(faces, tmp_path):
    config = dml.get_config("attributes")
    config.data.path, config.data.data_dir = str(faces), str(tmp_path / "data")
    config.data.size = 8
    config.data.augment.pad = 1
    config.epochs, config.batch_size = 4, 8
    config.ramp_begin = config.ramp_finish = 0.0
    config.tensorboard = False
    for network in config.networks.values():
        network.model = "plain.plain2"
    return config


@pytest.mark.usefixtures("one_device")
def test_a_run_on_attributes(faces, tmp_path):
    with jax.numpy_dtype_promotion("standard"):
        result = train.run(config_for(faces, tmp_path), tmp_path / "run")
    for figures in result["networks"].values():
        for split in ("validation", "test"):
            each = [figures[split][f"attribute/{name}"] for name in NAMES]
            assert figures[split]["accuracy"] == pytest.approx(np.mean(each))
        assert figures["test"]["attribute/Bright"] > 0.8
        assert figures["test"]["attribute/Never"] == 1.0
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert any("val/peer_0/attribute/Round" in json.loads(line) for line in lines)
    record = evaluated(tmp_path / "run")
    assert record["attribute_shares"]["Never"] == 0.0
    for name, row in record["networks"].items():
        recorded = result["networks"][name]["test"]
        scores = {key: row[key] for key in ("accuracy", "loss")}
        scores |= {f"attribute/{name}": one["accuracy"] for name, one in row["attributes"].items()}
        assert scores == pytest.approx(recorded)


def test_the_step_is_bce_and_bernoulli_kl(faces, tmp_path):
    """The loss of one step, from the formulas in float64."""
    plan = make_plan(config_for(faces, tmp_path), devices=1)
    stage, split = plan.stages[0], plan.data.splits["train"]
    code = stage.code._replace(augment=lambda batch, view, seed: batch)
    host = stream.gather(split, np.arange(8))

    @jax.jit
    def compute(key):
        networks = {n: step.init_network(code.networks[n], np.uint32(0)) for n in code.trained}
        state = step.init_state(code, stage.hyper, networks, {}, plan.data.image_shape)
        observed = step.observe(code, {}, Batch(*host), np.int32(0), np.uint32(0))
        _, metrics = step.learn(code, state, observed, stage.hyper, key)
        image = observed.batch.image
        return metrics, {
            name: code.networks[name].apply(network, image, train=True, key=key)[0].logits
            for name, network in networks.items()
        }

    with jax.numpy_dtype_promotion("standard"):
        metrics, logits = compute(jax.random.key(0))
    logits = {name: np.asarray(values, np.float64) for name, values in logits.items()}

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def bce(z):
        p = sigmoid(z)
        return -np.mean(host.label * np.log(p) + (1 - host.label) * np.log(1 - p))

    def kl(student, teacher):
        p, q = sigmoid(teacher), sigmoid(student)
        return np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))

    a, b = logits["peer_0"], logits["peer_1"]
    expected = 0.5 * (bce(a) + bce(b) + kl(a, b) + kl(b, a))
    assert float(metrics["loss"]) == pytest.approx(expected, rel=1e-5)
