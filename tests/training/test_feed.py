"""Resident and streaming input give the same batches, from any position, and no more than asked."""

import contextlib
from typing import Any

import jax
import numpy as np
import pytest

from kdjax.data import stream
from kdjax.data.store import Images
from kdjax.data.types import Split
from kdjax.system import runtime
from kdjax.training import feed, layouts

COUNT, BATCH, EPOCHS = 23, 4, 3
PER_EPOCH = COUNT // BATCH


def split(tmp_path=None):
    image = np.random.default_rng(0).integers(0, 256, (COUNT + 9, 5, 5, 3), np.uint8)
    label = np.random.default_rng(1).integers(0, 2, (COUNT + 9, 6)).astype(np.uint8)
    source = image
    if tmp_path:
        source = tmp_path / "image.npy"
        np.save(source, image)
    rows = np.random.default_rng(2).permutation(COUNT + 9)[:COUNT]
    return Split(Images([source]), label, np.arange(COUNT + 9, dtype=np.int32)).rows(rows)


def batches(kind, part, *, first=0, evaluation=None, workers=0):
    """Every batch with its view and position, as the compiled step would see them."""
    layout = layouts.Layout("jit", jax.local_devices()[:2], streaming=kind == "streaming")
    split_feed: Any = layout.feed(part)
    if kind == "streaming":
        split_feed._workers = workers
    fetch = feed.fetch_streamed if kind == "streaming" else feed.fetch_resident(sharding())
    fetch = jax.jit(fetch)
    steps = (
        split_feed.evaluation(evaluation)
        if evaluation
        else split_feed.training(batch_size=BATCH, seed=5, epochs=EPOCHS, first=first)
    )
    with contextlib.closing(steps):
        return [
            jax.device_get((fetch(*arguments), arguments[1].number, arguments[2]))
            for arguments in steps
        ]


def sharding():
    return jax.sharding.NamedSharding(
        jax.sharding.Mesh(jax.local_devices()[:2], (layouts.AXIS,)),
        jax.sharding.PartitionSpec(layouts.AXIS),
    )


def assert_same(one, other):
    assert len(one) == len(other)
    for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("first", [0, 3, PER_EPOCH, 2 * PER_EPOCH + 1])
def test_training_batches_are_the_same_from_any_position(first, tmp_path):
    resident = batches("resident", split(), first=first)
    assert len(resident) == EPOCHS * PER_EPOCH - first
    assert_same(resident, batches("streaming", split(tmp_path), first=first))
    assert_same(resident, batches("resident", split())[first:])


@pytest.mark.parametrize("per_call", [1, 2, 3, 5, 8, 17, 20])
def test_calls_end_at_the_same_steps_wherever_one_begins(per_call):
    whole = list(feed.calls(0, 17, per_call))
    assert [at for call in whole for at in call] == list(range(17))
    lengths = [len(call) for call in whole]
    assert max(lengths) == min(per_call, 17)
    assert set(lengths[1:]) <= {per_call}
    for call in whole:
        for first in call:
            rest = list(feed.calls(first, 17, per_call))
            assert rest == [range(first, call.stop), *whole[whole.index(call) + 1 :]]


def test_calls_of_several_steps_have_the_positions_of_single_ones():
    layout = layouts.Layout("jit", jax.local_devices()[:1])
    order = dict(batch_size=BATCH, seed=5, epochs=EPOCHS, first=3)
    split_feed = layout.feed(split())
    single = [(int(e.number), int(at)) for _, e, at in split_feed.training(**order)]
    calls = [(int(e.number), at.tolist()) for _, e, at in split_feed.training(**order, per_call=2)]
    assert [(number, at) for number, some in calls for at in some] == single
    assert calls[0] == (0, [3, 4])


def test_labels_and_images_belong_to_their_ids():
    part = split()
    seen = []
    for batch, view, _ in batches("streaming", part):
        rows = [int(np.flatnonzero(part.id == one)[0]) for one in batch.id]
        np.testing.assert_array_equal(batch.image, part.image.read(np.array(rows)))
        np.testing.assert_array_equal(batch.label, part.label[rows])
        seen.append((int(view), rows))
    for epoch in range(EPOCHS):
        rows = [row for view, some in seen if view == epoch for row in some]
        assert len(rows) == len(set(rows)) == PER_EPOCH * BATCH


def test_evaluation_batches_are_the_same(tmp_path):
    resident = batches("resident", split(), evaluation=10)
    assert_same(resident, batches("streaming", split(tmp_path), evaluation=10))
    assert sum(batch.mask.sum() for batch, *_ in resident) == COUNT


def test_no_more_batches_are_read_than_fit_the_buffers(monkeypatch, tmp_path):
    """However slowly they are taken and however many there are."""
    import threading
    import time

    read = []
    gather = stream.gather

    def counting(*arguments):
        read.append(threading.get_ident())
        return gather(*arguments)

    monkeypatch.setattr(stream, "gather", counting)
    layout = layouts.Layout("jit", jax.local_devices()[:1], streaming=True)
    steps = layout.feed(split(tmp_path)).training(batch_size=1, seed=0, epochs=500, first=0)
    with contextlib.closing(steps):
        for taken in range(1, 6):
            next(steps)
            time.sleep(0.1)
            assert len(read) - taken <= 8
    time.sleep(0.1)
    stopped = len(read)
    time.sleep(0.2)
    assert len(read) == stopped


@pytest.mark.slow
def test_worker_processes_change_nothing(tmp_path):
    alone = batches("streaming", split(tmp_path), first=3)
    for workers in (1, 2):
        assert_same(alone, batches("streaming", split(tmp_path), first=3, workers=workers))


def test_the_choice_goes_by_size():
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 1000}

    assert runtime.fits(250, Device())
    assert not runtime.fits(251, Device())
    assert runtime.fits(1000, jax.local_devices()[0])
    assert not runtime.fits(2**60, jax.local_devices()[0])
