"""Resizing, and a cache that is whole or absent."""

import numpy as np
import pytest

from kdjax.data import digits
from kdjax.data.images import cached, resize
from kdjax.data.types import Split


def split(value=1):
    return Split(np.full((3, 2, 2, 1), value, np.uint8), np.arange(3, dtype=np.int32), np.arange(3))


def test_cache_decodes_once(tmp_path):
    calls = []

    def decode():
        calls.append(1)
        return split()

    for _ in range(2):
        found = cached(tmp_path / "a" / "train", decode)
        for x, y in zip(found, split(), strict=True):
            np.testing.assert_array_equal(x, y)
    assert len(calls) == 1


def test_cache_leaves_nothing_behind_after_a_failure(tmp_path, monkeypatch):
    real = np.save

    def full_disk(path, array):
        if "label" in str(path):
            raise OSError(28, "No space left on device")
        real(path, array)

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        cached(tmp_path / "train", split)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_at_once_agree(tmp_path):
    """The second one finds the folder made while it was decoding, and keeps it."""

    def slow():
        cached(tmp_path / "train", lambda: split(7))
        return split(9)

    assert cached(tmp_path / "train", slow).image.max() == 7
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_resize_keeps_channels_and_constants():
    image = np.zeros((10, 14, 3), np.uint8) + np.array([10, 100, 200], np.uint8)
    np.testing.assert_array_equal(resize(image, 5)[2, 2], [10, 100, 200])
    assert resize(image, 5).shape == (5, 5, 3)
    assert resize(image[:10, :10], 10).shape == (10, 10, 3)


def test_digits_are_the_real_ones():
    raw = digits.read(data_dir="", size=16)
    image, label, _ = raw.parts["train"]
    assert image.shape == (1797, 16, 16, 1)
    assert image.dtype == np.uint8
    assert image.max() == 255
    np.testing.assert_array_equal(
        np.bincount(label), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    )
