"""IDX files in folders and archives, whole and damaged."""

import gzip
import zipfile

import numpy as np
import pytest

from kdjax.config import build_data
from kdjax.data.sources import folder
from kdjax.data.types import Request
from kdjax.system.errors import UserError

LABEL = {"train": [0, 1, 2, 0, 1, 2], "t10k": [2, 1]}


def pixels(part):
    count = len(LABEL[part])
    return np.random.default_rng(count).integers(0, 256, (count, 6, 5), np.uint8)


def encoded(array):
    array = np.asarray(array, np.uint8)
    shape = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + shape + array.tobytes()


def files():
    """The four official files, by name."""
    return {
        f"{part}-{name}-ubyte": encoded(values)
        for part in LABEL
        for name, values in (("images-idx3", pixels(part)), ("labels-idx1", LABEL[part]))
    }


def store(tmp_path, contents, kind="folder"):
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            for name, content in contents.items():
                archive.writestr(f"set/{name}", content)
        return tmp_path / "set.zip"
    (tmp_path / "set").mkdir()
    for name, content in contents.items():
        (tmp_path / "set" / name).write_bytes(content)
    return tmp_path / "set"


def read(tmp_path, path, *, source=folder.read, size=6, channels=1, crop=False):
    return source(Request(str(tmp_path / "data"), str(path), size, channels, crop))


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "source", [folder.read, build_data.source("mnist")], ids=["folder", "mnist"]
)
def test_pixels_and_labels_are_those_of_the_files(tmp_path, kind, compressed, source):
    contents = files()
    if compressed:
        contents = {f"{name}.gz": gzip.compress(value) for name, value in contents.items()}
    raw = read(tmp_path, store(tmp_path, contents, kind), source=source, size=5, crop=True)
    assert raw.class_names == ("0", "1", "2")
    assert list(raw.splits) == ["train", "test"]
    for part, name in (("train", "train"), ("test", "t10k")):
        np.testing.assert_array_equal(raw.splits[part].label, LABEL[name])
        image = raw.splits[part].image.read()
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image[..., 0], pixels(name)[:, :5])


def test_grey_pixels_become_colour_and_are_resized(tmp_path):
    raw = read(tmp_path, store(tmp_path, files()), size=8, channels=3)
    image = raw.splits["train"].image.read()
    assert image.shape == (6, 8, 8, 3)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("separator", [".", "-"])
def test_names_with_a_dot_and_without_a_test_part(tmp_path, separator):
    contents = {
        name.replace("-idx", f"{separator}idx"): value
        for name, value in files().items()
        if name.startswith("train")
    }
    assert list(read(tmp_path, store(tmp_path, contents)).splits) == ["train"]


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({IMAGES: files()[IMAGES][:-7]}, "its header says 6 x 6 x 5 values, and it has 173"),
        ({LABELS: files()[LABELS] + b"x"}, "its header says 6 values, and it has 7"),
        ({IMAGES: files()[IMAGES][:9]}, "is no IDX file of 3 dimensions of unsigned bytes"),
        ({IMAGES: files()[LABELS]}, "is no IDX file of 3 dimensions"),
        ({LABELS: b"<html>not found</html>"}, "train-labels-idx1-ubyte is no IDX file of 1 dim"),
        ({LABELS: encoded([0, 1, 2])}, "has 6 images, but there are 3 labels"),
        ({LABELS: encoded([])}, "train-labels-idx1-ubyte is empty"),
        ({LABELS: None}, f"has {IMAGES}, but no IDX file of the labels of train"),
        ({"t10k-labels-idx1-ubyte": encoded([3, 1])}, "class 3 is in test, but not in train"),
        ({IMAGES: None, LABELS: None}, "has IDX files of test, but none of train"),
        ({f"{IMAGES}.gz": b""}, f"{IMAGES} and {IMAGES}.gz are both images of train; keep one"),
        (
            {IMAGES: None, f"{IMAGES}.gz": gzip.compress(files()[IMAGES])[:-20]},
            f"{IMAGES}.gz is damaged: Compressed file ended",
        ),
        ({LABELS: None, f"{LABELS}.gz": b"not gzip"}, f"{LABELS}.gz is damaged: Not a gzipped"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_cached(tmp_path, changes, message):
    contents = {name: value for name, value in (files() | changes).items() if value is not None}
    with pytest.raises(UserError) as error:
        read(tmp_path, store(tmp_path, contents))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "data").rglob("train"))
