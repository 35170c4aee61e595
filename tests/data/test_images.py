"""Resizing, and a cache that is whole or absent."""

import io

import numpy as np
import pytest
from PIL import Image

from kdjax.data.images import cached, decode, resize, write_split
from kdjax.data.sources import digits
from kdjax.data.types import Request
from kdjax.errors import UserError


def write(folder, value=1, count=3):
    rows = [
        (row, lambda row=row: np.full((2, 2, 1), (value + row) % 256, np.uint8))
        for row in range(count)
    ]
    write_split(folder, np.arange(count) % 2, (2, 2, 1), reversed(rows))


def test_cache_decodes_once_and_keeps_rows(tmp_path):
    calls = []

    def counting(folder):
        calls.append(1)
        write(folder, count=600)

    for _ in range(2):
        found = cached(tmp_path / "a" / "train", counting)
        np.testing.assert_array_equal(
            found.image[:, 0, 0, 0], (1 + np.arange(600)).astype(np.uint8)
        )
        np.testing.assert_array_equal(found.label, np.arange(600) % 2)
        np.testing.assert_array_equal(found.id, np.arange(600))
    assert len(calls) == 1


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(UserError, match=f"no space left in {tmp_path} to cache train"):
        cached(tmp_path / "train", write)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_decoding_leaves_nothing_behind(tmp_path):
    def bad(folder):
        write_split(folder, np.zeros(2), (2, 2, 1), [(0, lambda: 1 / 0), (1, lambda: 1 / 0)])

    with pytest.raises(ZeroDivisionError):
        cached(tmp_path / "train", bad)
    assert list(tmp_path.iterdir()) == []


def test_two_processes_at_once_agree(tmp_path):
    """The second one finds the folder made while it was decoding, and keeps it."""

    def slow(folder):
        cached(tmp_path / "train", lambda other: write(other, 7))
        write(folder, 90)

    assert cached(tmp_path / "train", slow).image.max() == 9
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def encoded(array, kind):
    stream = io.BytesIO()
    Image.fromarray(array.squeeze()).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_decoding_keeps_lossless_values(kind):
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    np.testing.assert_array_equal(decode(encoded(image, kind), size=8, channels=3), image)
    assert decode(encoded(image, kind), size=4, channels=1).shape == (4, 4, 1)


def test_a_large_jpeg_is_scaled_as_if_decoded_whole():
    row = np.linspace(0, 255, 200).astype(np.uint8)
    image = np.broadcast_to(row[None, :, None], (200, 200, 3)).copy()
    small = decode(encoded(image, "JPEG"), size=20, channels=3)
    np.testing.assert_allclose(small.astype(int), resize(image, 20).astype(int), atol=6)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a note", "is not an image"), (b"", "is not an image")],
)
def test_what_is_no_image_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        decode(content, size=8, channels=3)


def test_a_truncated_jpeg_is_refused():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encoded(image, "JPEG")
    with pytest.raises(ValueError, match="cannot be decoded"):
        decode(content[: len(content) // 2], size=32, channels=3)


def test_resize_keeps_channels_and_constants():
    image = np.zeros((10, 14, 3), np.uint8) + np.array([10, 100, 200], np.uint8)
    np.testing.assert_array_equal(resize(image, 5)[2, 2], [10, 100, 200])
    assert resize(image, 5).shape == (5, 5, 3)
    assert resize(image[:10, :10], 10).shape == (10, 10, 3)


def test_digits_are_the_real_ones():
    raw = digits.read(Request("", "", 16, 1))
    image, label, _ = raw.parts["train"]
    assert image.shape == (1797, 16, 16, 1)
    assert image.dtype == np.uint8
    assert image.max() == 255
    np.testing.assert_array_equal(
        np.bincount(label), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    )
