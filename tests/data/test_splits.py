"""Splits are disjoint, stratified, nested and fixed by the seed."""

import numpy as np
import pytest

from kdjax.data import splits
from kdjax.data.store import Images
from kdjax.data.types import Raw, Split


def make(counts):
    label = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    label = np.random.default_rng(0).permutation(label).astype(np.int32)
    index = np.arange(len(label), dtype=np.int32)
    image = np.broadcast_to(index.astype(np.uint8)[:, None, None, None], (len(label), 2, 2, 1))
    return Split(Images([image]), label, index)


def prepare(raw, **changes):
    defaults = dict(seed=0, validation=0.1, fraction=1.0, refit=False)
    return splits.prepare(raw, **(defaults | changes))


def ids(data, name):
    return set(data.splits[name].id.tolist())


COUNTS = [100, 50, 30]


@pytest.mark.parametrize("per_class", [10, 90, 100, 700])
def test_80_10_10_is_exact_where_it_can_be(per_class):
    data = prepare(Raw({"train": make([per_class] * 3)}, tuple("abc"), "x"))
    found = {name: np.bincount(split.label).tolist() for name, split in data.splits.items()}
    tenth = per_class // 10
    assert found == {"train": [8 * tenth] * 3, "validation": [tenth] * 3, "test": [tenth] * 3}


def test_without_a_test_part_80_10_10_stratified():
    data = prepare(Raw({"train": make(COUNTS)}, tuple("abc"), "x"))
    for name, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        found = np.bincount(data.splits[name].label)
        np.testing.assert_allclose(found, share * np.array(COUNTS), atol=1.01)
    parts = [ids(data, name) for name in ("train", "validation", "test")]
    assert set.union(*parts) == set(range(sum(COUNTS)))
    assert sum(map(len, parts)) == sum(COUNTS)


def test_images_and_labels_stay_with_their_ids():
    part = make(COUNTS)
    data = prepare(Raw({"train": part}, tuple("abc"), "x"))
    for split in data.splits.values():
        np.testing.assert_array_equal(split.label, part.label[split.id])
        np.testing.assert_array_equal(split.image.read()[:, 0, 0, 0], split.id.astype(np.uint8))


def test_an_official_test_part_is_kept_whole():
    raw = Raw({"train": make(COUNTS), "test": make([5, 5, 5])}, tuple("abc"), "x")
    data = prepare(raw)
    assert len(data.splits["test"].id) == 15
    assert len(data.splits["train"].id) == 162
    assert len(data.splits["validation"].id) == 18


def test_fractions_are_nested_and_leave_validation_alone():
    raw = Raw({"train": make(COUNTS)}, tuple("abc"), "x")
    whole, quarter, tenth = (prepare(raw, fraction=f) for f in (1.0, 0.25, 0.1))
    assert ids(tenth, "train") < ids(quarter, "train") < ids(whole, "train")
    assert ids(tenth, "validation") == ids(whole, "validation")
    assert ids(tenth, "test") == ids(whole, "test")
    np.testing.assert_allclose(np.bincount(quarter.splits["train"].label), [20, 10, 6], atol=1)


def test_refit_trains_on_validation_too():
    raw = Raw({"train": make(COUNTS)}, tuple("abc"), "x")
    held, refit = prepare(raw), prepare(raw, refit=True)
    assert ids(refit, "train") == ids(held, "train") | ids(held, "validation")
    assert "validation" not in refit.splits
    assert ids(refit, "test") == ids(held, "test")
    tenth = prepare(raw, refit=True, fraction=0.1)
    np.testing.assert_allclose(np.bincount(tenth.splits["train"].label), [9, 4.5, 2.7], atol=2)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_fixes_the_split(seed):
    raw = Raw({"train": make(COUNTS)}, tuple("abc"), "x")
    assert ids(prepare(raw, seed=seed), "test") == ids(prepare(raw, seed=seed), "test")
    assert ids(prepare(raw, seed=seed), "test") != ids(prepare(raw, seed=seed + 5), "test")


def test_classes_are_rounded_to_the_nearest_and_none_loses_its_training_images():
    counts = [1, 2, 3, 4, 6, 11, 16]
    data = prepare(Raw({"train": make(counts)}, tuple("abcdefg"), "x"))
    found = {
        name: np.bincount(split.label, minlength=7).tolist() for name, split in data.splits.items()
    }
    assert found["test"] == [0, 0, 0, 0, 1, 1, 2]
    assert found["validation"][:4] == [0, 0, 0, 0]
    assert min(found["train"]) == 1
    few = prepare(Raw({"train": make(counts)}, tuple("abcdefg"), "x"), fraction=0.01)
    assert np.bincount(few.splits["train"].label).tolist() == [1] * 7
    assert ids(few, "train") < ids(data, "train")


def test_attributes_are_stratified_by_the_rarest():
    """Of 40 bald ones among 1,000, a tenth is held out twice; chance alone would spread more."""
    rng = np.random.default_rng(0)
    label = (rng.random((1000, 3)) < [0.5, 0.3, 0.0]).astype(np.uint8)
    label[rng.permutation(1000)[:40], 2] = 1
    image = Images([np.zeros((1000, 1, 1, 1), np.uint8)])
    raw = Raw({"train": Split(image, label, np.arange(1000, dtype=np.int32))}, tuple("abc"), "x")
    for seed in range(5):
        data = prepare(raw, seed=seed)
        assert [data.splits[n].label[:, 2].sum() for n in ("test", "validation")] == [4, 4]
        assert len(data.splits["test"].id) in range(98, 103)


def test_ids_go_on_from_part_to_part():
    raw = Raw(
        {"train": make([5, 5]), "validation": make([2, 2]), "test": make([1, 2])}, ("a", "b"), "x"
    )
    data = prepare(raw)
    assert ids(data, "train") == set(range(10))
    assert ids(data, "validation") == set(range(10, 14))
    assert ids(data, "test") == set(range(14, 17))
    assert ids(prepare(raw, refit=True), "train") == set(range(14))
