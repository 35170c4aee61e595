"""Eight fake devices find what one device finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.data.store import Images
from kdjax.data.types import Split
from kdjax.evaluation import measures
from kdjax.step import preprocess
from kdjax.training import layouts, scores
from tests import helpers

BATCH, COUNT = 16, 50


def split():
    data = helpers.batch(COUNT)
    return Split(Images([np.array(data.image)]), np.array(data.label), np.array(data.id))


def train(kind, devices, *, norm, epochs=2, streaming=False, per_call=1):
    """State (one copy of each network) and the loss of every step."""
    layout = layouts.Layout(kind, jax.local_devices()[:devices], streaming=streaming)
    networks = {n: helpers.network(n, norm=norm) for n in ("a", "b")}
    code, weights = helpers.mutual(networks, pad=1)
    values = helpers.hyper(weights)
    feed, update = layout.feed(split()), layout.train_step(code, per_call)
    state, losses = layout.spread(helpers.initialise(code, values)), []
    order = dict(batch_size=BATCH, seed=0, epochs=epochs, first=0, per_call=per_call)
    for arguments in feed.training(**order):
        state, metrics = update(state, {}, layout.replicate(values), *arguments)
        losses += np.atleast_1d(metrics["loss"]).tolist()
    assert len(losses) == epochs * (COUNT // BATCH)
    return code, layout, layout.collect(state.networks), losses


@pytest.mark.parametrize(("kind", "norm"), [("jit", True), ("jit", False), ("pmap", False)])
def test_eight_devices_find_the_losses_of_one(kind, norm):
    *_, single, losses_one = train("jit", 1, norm=norm)
    *_, eight, losses_eight = train(kind, 8, norm=norm)
    np.testing.assert_allclose(losses_eight, losses_one, rtol=1e-5)
    for x, y in zip(jax.tree.leaves(single), jax.tree.leaves(eight), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "devices"),
    [
        ("jit", 8),
        *(pytest.param(kind, n, marks=pytest.mark.slow) for kind, n in (("jit", 1), ("pmap", 8))),
    ],
)
def test_several_steps_a_call_are_single_steps(kind, devices):
    """Two of an epoch's three steps are a loop; a loop may round differently."""
    *_, single, losses_single = train(kind, devices, norm=True)
    *_, looped, losses_looped = train(kind, devices, norm=True, per_call=2)
    np.testing.assert_allclose(losses_looped, losses_single, rtol=1e-5)
    for x, y in zip(jax.tree.leaves(single), jax.tree.leaves(looped), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


def normalised(code):
    image = jnp.asarray(split().image.read(), jnp.float32) / 255.0
    return preprocess.normalise(image, code.mean, code.std)


def test_pmap_normalises_by_device():
    *_, global_statistics, _ = train("jit", 8, norm=True)
    *_, by_device, losses = train("pmap", 8, norm=True)
    assert np.isfinite(losses).all()
    assert helpers.differ(global_statistics, by_device)


@pytest.mark.parametrize("batch_size", [7, 24, 1000])
def test_evaluation_counts_are_exact_on_one_and_eight_devices(batch_size):
    results = []
    for devices in (1, 8):
        code, layout, networks, _ = train("jit", devices, norm=True, epochs=1)
        evaluate = scores.make(layout, code, batch_size)
        results.append(evaluate(networks, layout.feed(split())))
    assert results[0]["a"]["accuracy"] == results[1]["a"]["accuracy"]
    image = normalised(code)
    logits = code.networks["a"].apply(networks["a"], image, train=False)[0].logits
    hits = np.argmax(np.asarray(logits), -1) == split().label
    assert results[1]["a"]["accuracy"] == hits.mean()


@pytest.mark.parametrize("streaming", [False, True])
def test_predictions_are_in_the_splits_order_without_padding(streaming):
    for devices in (1, 8):
        code, _, networks, _ = train("jit", devices, norm=True, epochs=1)
        layout = layouts.Layout("jit", jax.local_devices()[:devices], streaming=streaming)
        predictions = scores.predictions(
            layout.predict_step(code, "stem"), layout, 24, networks, layout.feed(split())
        )
        image = normalised(code)
        for name, state in networks.items():
            outputs = code.networks[name].apply(state, image, train=False)[0]
            np.testing.assert_allclose(predictions[name].logits, outputs.logits, atol=1e-5)
            pooled = outputs.features["stem"].mean(axis=(1, 2))
            np.testing.assert_allclose(predictions[name].features["stem"], pooled, atol=1e-5)


@pytest.mark.parametrize("streaming", [False, True])
def test_ten_thousand_examples_are_counted_alike_on_one_and_eight_devices(streaming):
    """At batch 384 the last one is padded, and laid out otherwise on eight devices."""
    rng = np.random.default_rng(0)
    count = 10_000
    image = rng.integers(0, 256, (count, *helpers.IMAGE_SHAPE), dtype=np.uint8)
    label = rng.integers(0, helpers.CLASSES, count).astype(np.int32)
    many = Split(Images([image]), label, np.arange(count, dtype=np.int32))
    code = helpers.code({"a": helpers.network("a", norm=True)}, ["a"], {})
    networks = {"a": jax.jit(code.networks["a"].init)(jax.random.key(0))}
    records = []
    for devices in (1, 8):
        layout = layouts.Layout("jit", jax.local_devices()[:devices], streaming=streaming)
        outputs = scores.predictions(
            layout.predict_step(code, "stem"),
            layout,
            384,
            layout.replicate(networks),
            layout.feed(many),
            features=100,
        )["a"]
        assert len(outputs.features["stem"]) == 100
        prediction = measures.prediction(outputs.logits, multi_label=False)
        records.append(measures.against_labels(prediction, label, tuple("abcd")))
    assert np.sum(records[0]["confusion"]) == count
    for key in ("confusion", "accuracy", "classes"):
        assert records[0][key] == records[1][key]


@pytest.mark.parametrize(("kind", "devices"), [("jit", 1), ("jit", 8), ("pmap", 8)])
def test_streaming_finds_what_resident_finds(kind, devices):
    runs = [train(kind, devices, norm=True, streaming=streaming) for streaming in (False, True)]
    (*_, resident, losses), (*_, streamed, streamed_losses) = runs
    assert losses == streamed_losses
    helpers.assert_identical(resident, streamed)


def test_streaming_evaluates_as_resident_does():
    results = []
    for streaming in (False, True):
        code, layout, networks, _ = train("jit", 8, norm=True, epochs=1)
        layout = layouts.Layout("jit", streaming=streaming)
        evaluate = scores.make(layout, code, 24)
        results.append(evaluate(networks, layout.feed(split())))
    assert results[0] == results[1]
