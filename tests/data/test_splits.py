"""Splits are disjoint, stratified, nested and fixed by the seed."""

import numpy as np
import pytest

from kdjax.data import splits
from kdjax.data.store import Images
from kdjax.data.types import DataSet, Split
from kdjax.system.errors import UserError


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
    data = prepare(DataSet({"train": make([per_class] * 3)}, tuple("abc"), "x"))
    counts = {name: np.bincount(split.label).tolist() for name, split in data.splits.items()}
    tenth = per_class // 10
    assert counts == {"train": [8 * tenth] * 3, "validation": [tenth] * 3, "test": [tenth] * 3}


def test_without_a_test_part_80_10_10_stratified():
    data = prepare(DataSet({"train": make(COUNTS)}, tuple("abc"), "x"))
    for name, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        counts = np.bincount(data.splits[name].label)
        np.testing.assert_allclose(counts, share * np.array(COUNTS), atol=1.01)
    parts = [ids(data, name) for name in ("train", "validation", "test")]
    assert set.union(*parts) == set(range(sum(COUNTS)))
    assert sum(map(len, parts)) == sum(COUNTS)


def test_images_and_labels_stay_with_their_ids():
    part = make(COUNTS)
    data = prepare(DataSet({"train": part}, tuple("abc"), "x"))
    for split in data.splits.values():
        np.testing.assert_array_equal(split.label, part.label[split.id])
        np.testing.assert_array_equal(split.image.read()[:, 0, 0, 0], split.id.astype(np.uint8))


def test_an_official_test_part_is_kept_whole():
    raw = DataSet({"train": make(COUNTS), "test": make([5, 5, 5])}, tuple("abc"), "x")
    data = prepare(raw)
    assert len(data.splits["test"].id) == 15
    assert len(data.splits["train"].id) == 162
    assert len(data.splits["validation"].id) == 18


def test_fractions_are_nested_and_leave_validation_alone():
    raw = DataSet({"train": make(COUNTS)}, tuple("abc"), "x")
    whole, quarter, tenth = (prepare(raw, fraction=f) for f in (1.0, 0.25, 0.1))
    assert ids(tenth, "train") < ids(quarter, "train") < ids(whole, "train")
    assert ids(tenth, "validation") == ids(whole, "validation")
    assert ids(tenth, "test") == ids(whole, "test")
    np.testing.assert_allclose(np.bincount(quarter.splits["train"].label), [20, 10, 6], atol=1)


def test_refit_trains_on_validation_too():
    raw = DataSet({"train": make(COUNTS)}, tuple("abc"), "x")
    held, refit = prepare(raw), prepare(raw, refit=True)
    assert ids(refit, "train") == ids(held, "train") | ids(held, "validation")
    assert "validation" not in refit.splits
    assert ids(refit, "test") == ids(held, "test")
    tenth = prepare(raw, refit=True, fraction=0.1)
    np.testing.assert_allclose(np.bincount(tenth.splits["train"].label), [9, 4.5, 2.7], atol=2)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_fixes_the_split(seed):
    raw = DataSet({"train": make(COUNTS)}, tuple("abc"), "x")
    assert ids(prepare(raw, seed=seed), "test") == ids(prepare(raw, seed=seed), "test")
    assert ids(prepare(raw, seed=seed), "test") != ids(prepare(raw, seed=seed + 5), "test")


def test_classes_are_rounded_to_the_nearest_and_give_one_at_least():
    counts = [3, 4, 5, 6, 11, 16, 26]
    data = prepare(DataSet({"train": make(counts)}, tuple("abcdefg"), "x"))
    split_counts = {name: np.bincount(split.label).tolist() for name, split in data.splits.items()}
    assert split_counts == {
        "train": [1, 2, 3, 4, 9, 12, 20],
        "validation": [1, 1, 1, 1, 1, 2, 3],
        "test": [1, 1, 1, 1, 1, 2, 3],
    }
    few = prepare(DataSet({"train": make(counts)}, tuple("abcdefg"), "x"), fraction=0.01)
    assert np.bincount(few.splits["train"].label).tolist() == [1] * 7
    assert ids(few, "train") < ids(data, "train")
    # However much is held out, every class keeps one to train on.
    most = prepare(DataSet({"train": make(counts)}, tuple("abcdefg"), "x"), validation=0.89)
    assert np.bincount(most.splits["train"].label).tolist() == [1] * 7


def test_splits_of_larger_classes_stay_as_they_were():
    """Recorded results depend on them: the ids as version 0.1 drew them."""
    data = prepare(DataSet({"train": make([20, 30])}, ("a", "b"), "x"), seed=3)
    assert [sorted(ids(data, name)) for name in ("test", "validation")] == [
        [3, 6, 23, 32, 34],
        [0, 12, 41, 45, 48],
    ]


@pytest.mark.parametrize(
    ("parts", "changes", "needed"),
    [
        ((), {}, 3),
        ((), dict(validation=0.0), 2),
        ((), dict(refit=True), 2),
        ((), dict(fraction=0.1), 3),
        (("validation",), {}, 2),
        (("test",), {}, 2),
        (("test",), dict(validation=0.0), 1),
        (("test",), dict(refit=True), 1),
        (("validation", "test"), {}, 1),
    ],
)
def test_a_class_has_an_image_for_every_split_or_is_refused(parts, changes, needed):
    other_parts = {name: make([1, 1, 1]) for name in parts}
    data = prepare(
        DataSet({"train": make([9, needed, needed])} | other_parts, tuple("abc"), "x"), **changes
    )
    for name, split in data.splits.items():
        assert np.bincount(split.label, minlength=3).min() >= 1, name
    if needed > 1:
        raw = DataSet({"train": make([9, needed, needed - 1])} | other_parts, tuple("abc"), "set")
        with pytest.raises(UserError, match=rf"set has .*'c' \({needed - 1}\). .*needs {needed} "):
            prepare(raw, **changes)


def test_many_small_classes_are_counted():
    raw = DataSet({"train": make([1] * 8)}, tuple("abcdefgh"), "set")
    with pytest.raises(UserError, match=r"'e' \(1\) and 3 more. A class needs 3 \(one each for"):
        prepare(raw)


def test_a_single_class_is_refused_and_an_unused_one_is_not():
    with pytest.raises(UserError, match="set has a single class, 'b'"):
        prepare(DataSet({"train": make([0, 9])}, ("a", "b"), "set"))
    assert len(prepare(DataSet({"train": make([9, 0, 9])}, tuple("abc"), "set")).splits) == 3


def test_an_empty_part_is_refused():
    raw = DataSet({"train": make([9, 9]), "test": make([])}, ("a", "b"), "set")
    with pytest.raises(UserError, match="set has no test images"):
        prepare(raw)


def attributes(label):
    label = np.asarray(label, np.uint8)
    image = Images([np.zeros((len(label), 1, 1, 1), np.uint8)])
    return {"train": Split(image, label, np.arange(len(label), dtype=np.int32))}


def test_rare_attributes_are_drawn_together():
    """Forty attributes that five images each have: none gives one by itself."""
    data = prepare(DataSet(attributes(np.repeat(np.eye(40), 5, axis=0)), ("a",) * 40, "x"))
    assert {name: len(split.id) for name, split in data.splits.items()} == {
        # What is left of each attribute rounds to an image: 10 of four, and 30 of five.
        "train": 150,
        "validation": 30,
        "test": 20,
    }


def test_few_images_with_attributes_fill_every_split_or_are_refused():
    for count in (3, 4, 5):
        data = prepare(DataSet(attributes(np.eye(count)), ("a",) * count, "x"))
        assert {len(data.splits[name].id) for name in ("validation", "test")} == {1}
    with pytest.raises(UserError, match=r"set has 2 training images; it needs 3 \(one each"):
        prepare(DataSet(attributes(np.eye(2)), ("a", "b"), "set"))


def test_attributes_are_stratified_by_the_rarest():
    """Of 40 bald ones among 1,000, a tenth is held out twice; chance alone would spread more."""
    rng = np.random.default_rng(0)
    label = (rng.random((1000, 3)) < [0.5, 0.3, 0.0]).astype(np.uint8)
    label[rng.permutation(1000)[:40], 2] = 1
    raw = DataSet(attributes(label), tuple("abc"), "x")
    for seed in range(5):
        data = prepare(raw, seed=seed)
        assert [data.splits[n].label[:, 2].sum() for n in ("test", "validation")] == [4, 4]
        assert len(data.splits["test"].id) in range(98, 103)


def test_ids_go_on_from_part_to_part():
    raw = DataSet(
        {"train": make([5, 5]), "validation": make([2, 2]), "test": make([1, 2])}, ("a", "b"), "x"
    )
    data = prepare(raw)
    assert ids(data, "train") == set(range(10))
    assert ids(data, "validation") == set(range(10, 14))
    assert ids(data, "test") == set(range(14, 17))
    assert ids(prepare(raw, refit=True), "train") == set(range(14))
