"""A cache of decoded images that is whole or absent."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdjax.data.cache import Encoded, load_split, read_splits, write_split
from kdjax.data.types import Request
from kdjax.system.errors import UserError

REQUEST = Request("", "", 2, 1, False)
RACE = """
import sys, time
from pathlib import Path
from kdjax.data.cache import load_split
from tests.data.test_cache import write
def slow(folder):
    time.sleep(1)
    write(folder, value=int(sys.argv[2]))
print(load_split(Path(sys.argv[1]) / "train", slow).image.read().max())
"""


def png(value):
    stream = io.BytesIO()
    Image.fromarray(np.full((2, 2), value % 256, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def write(folder, value=1, count=3):
    rows = [Encoded(row, f"image {row}", png(value + row)) for row in range(count)]
    write_split(folder, np.arange(count) % 2, reversed(rows), REQUEST)


def test_decodes_once_and_keeps_rows(tmp_path):
    calls = []

    def counting(folder):
        calls.append(1)
        write(folder, count=300)

    for _ in range(2):
        split = load_split(tmp_path / "a" / "train", counting)
        np.testing.assert_array_equal(
            split.image.read()[:, 0, 0, 0], (1 + np.arange(300)).astype(np.uint8)
        )
        np.testing.assert_array_equal(split.label, np.arange(300) % 2)
        np.testing.assert_array_equal(split.id, np.arange(300))
    assert len(calls) == 1


def test_attributes_keep_their_columns(tmp_path):
    label = np.array([[1, 0, 1], [0, 0, 1]])

    def two(folder):
        write_split(folder, label, [Encoded(1, "b", png(8)), Encoded(0, "a", png(7))], REQUEST)

    split = load_split(tmp_path / "train", two)
    np.testing.assert_array_equal(split.label, label)
    assert split.label.dtype == np.uint8
    assert split.image.read()[:, 0, 0, 0].tolist() == [7, 8]


@pytest.mark.parametrize("where", ["os.posix_fallocate", "numpy.save", "os.fsync"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, where):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, full)
    with pytest.raises(UserError, match=f"cannot cache images in {tmp_path}: No space left"):
        load_split(tmp_path / "train", write)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_to_is_one_line(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(
        UserError, match=f"cannot cache images in {tmp_path}: Read-only file system"
    ):
        load_split(tmp_path / "train", write)


def test_an_image_that_cannot_be_decoded_is_named_and_leaves_nothing_behind(tmp_path):
    def bad(folder):
        images = [Encoded(0, "one.png", png(1)), Encoded(1, "two.png", b"x")]
        write_split(folder, np.zeros(2), images, REQUEST)

    with pytest.raises(UserError, match=r"two\.png is not an image"):
        load_split(tmp_path / "train", bad)
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_keeps_what_the_first_one_made(tmp_path):
    def slow(folder):
        load_split(tmp_path / "train", lambda other: write(other, 7))
        write(folder, 90)

    assert load_split(tmp_path / "train", slow).image.read().max() == 9
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_processes_that_start_together_agree(tmp_path):
    root = Path(__file__).parent.parent.parent
    started = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(tmp_path), str(value)],
            cwd=root,
            stdout=subprocess.PIPE,
            text=True,
        )
        for value in (10, 20, 30)
    ]
    printed = {process.communicate()[0] for process in started}
    assert all(process.returncode == 0 for process in started)
    assert len(printed) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "label.npy").unlink(),
        lambda path: (path / "image.npy").write_bytes((path / "image.npy").read_bytes()[:-3]),
        lambda path: np.save(path / "label.npy", np.arange(2)),
    ],
    ids=["missing", "cut", "short"],
)
def test_a_damaged_cache_is_refused(tmp_path, damage):
    load_split(tmp_path / "train", write)
    damage(tmp_path / "train")
    with pytest.raises(UserError, match="train is damaged: remove it"):
        load_split(tmp_path / "train", write)


def test_an_image_that_is_missing_is_noticed(tmp_path):
    def short(folder):
        write_split(folder, np.zeros(3), [Encoded(0, "a", png(1))], REQUEST)

    with pytest.raises(UserError, match="only 1 of 3 images"):
        load_split(tmp_path / "train", short)
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_it(tmp_path):
    (tmp_path / "shared").mkdir(mode=0o755)
    load_split(tmp_path / "shared" / "train", write)
    assert (tmp_path / "shared" / "train").stat().st_mode & 0o777 == 0o755


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path):
    old, new = tmp_path / ".train-old", tmp_path / ".train-new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (0, 0))
    load_split(tmp_path / "train", write)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".train-new", "train"]


def test_the_digest_depends_on_images_and_labels(tmp_path):
    digests = set()
    for name, value, label in (
        ("a", 1, [0, 1]),
        ("b", 1, [0, 1]),
        ("c", 2, [0, 1]),
        ("d", 1, [1, 1]),
    ):

        def two(part, value=value, label=label):
            return np.array(label), [Encoded(row, "", png(value + row)) for row in (0, 1)]

        digests.add(read_splits(tmp_path / name, ["train"], two, REQUEST)[1])
    assert len(digests) == 3
