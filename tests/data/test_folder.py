"""Class folders in every layout and container, and every way in which they can be wrong."""

import io
import os
import shutil
import tarfile
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kdjax.data.sources import folder
from kdjax.data.types import Request
from kdjax.errors import UserError


def png(value, size=12):
    stream = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def half_a_jpeg():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()[: stream.tell() // 2]


def images(root, classes=("ant", "bee"), count=3, offset=0):
    """Files by name; every image is of one grey that tells which it is."""
    return {
        f"{root}{cls}/{index}.png": png(offset + 50 * place + index)
        for place, cls in enumerate(classes)
        for index in range(count)
    }


SPLIT = images("set/train/") | images("set/test/", count=2, offset=20) | images("set/val/", count=1)


def store(tmp_path, files, kind):
    """Writes files as a folder, a zip or a tar, and returns its path."""
    if kind == "folder":
        path = tmp_path / "set"
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        return path
    path = tmp_path / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as archive:
        for name, content in reversed(files.items()):
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read(tmp_path, path, size=12, channels=3):
    return folder.read(Request(str(tmp_path / "data"), str(path), size, channels, False))


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
def test_every_container_gives_the_same(tmp_path, kind):
    raw = read(tmp_path, store(tmp_path, SPLIT, kind))
    assert raw.class_names == ("ant", "bee")
    assert {part: len(split.id) for part, split in raw.parts.items()} == {
        "train": 6,
        "test": 4,
        "validation": 2,
    }
    image, label = raw.parts["train"].image.read(), raw.parts["train"].label
    np.testing.assert_array_equal(image[:, 0, 0, 0], [0, 1, 2, 50, 51, 52])
    np.testing.assert_array_equal(label, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(raw.parts["test"].image.read()[:, 5, 5, 2], [20, 21, 70, 71])


@pytest.mark.parametrize("root", ["", "set/", "set/Images/"])
def test_without_splits_all_is_train(tmp_path, root):
    raw = read(tmp_path, store(tmp_path, images(root), "zip"), size=6, channels=1)
    assert set(raw.parts) == {"train"}
    assert raw.parts["train"].image.shape == (6, 6, 6, 1)


def test_a_single_class_folder_is_a_class(tmp_path):
    raw = read(tmp_path, store(tmp_path, images("set/", classes=("only",)), "zip"))
    assert raw.class_names == ("only",)


def test_hidden_files_and_files_beside_the_classes_are_passed_over(tmp_path):
    extra = {"set/train/ant/.DS_Store": b"x", "__MACOSX/set/a": b"x", "set/README.txt": b"x"}
    assert len(read(tmp_path, store(tmp_path, SPLIT | extra, "zip")).parts["train"].id) == 6


def test_the_cache_is_read_again_until_a_file_changes(tmp_path):
    path = store(tmp_path, SPLIT, "folder")
    read(tmp_path, path)
    caches = list((tmp_path / "data" / "kdjax").glob("decoded*/*"))
    np.save(caches[0] / "train" / "label.npy", np.ones(6, np.int32))
    assert read(tmp_path, path).parts["train"].label.tolist() == [1] * 6
    (path / "set/train/ant/9.png").write_bytes(png(9))
    assert read(tmp_path, path).parts["train"].label.tolist() == [0] * 4 + [1] * 3


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"set/train/ant/note.txt": b"a note"}, "set/train/ant/note.txt is not an image"),
        ({"set/train/ant/cut.jpg": half_a_jpeg()}, "set/train/ant/cut.jpg cannot be decoded"),
        ({"set/test/cow/1.png": png(1)}, "class 'cow' is in test, but not in train"),
    ],
    ids=["text", "truncated", "test-only"],
)
def test_what_is_wrong_is_named_and_nothing_is_cached(tmp_path, kind, extra, message):
    path = store(tmp_path, SPLIT | extra, kind)
    with pytest.raises(UserError) as error:
        read(tmp_path, path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    cached = tmp_path / "data" / "kdjax"
    assert not list(cached.rglob("train"))
    assert not list(cached.rglob(".train*"))


def test_an_empty_class_is_named(tmp_path):
    path = store(tmp_path, SPLIT, "folder")
    (path / "set/train/cow").mkdir()
    with pytest.raises(UserError, match="class folder set/train/cow is empty"):
        read(tmp_path, path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_files_of_one_name_are_named(tmp_path):
    path = store(tmp_path, SPLIT, "zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("set/train/ant/0.png", png(99))
    with pytest.raises(UserError, match="2 files of the name set/train/ant/0.png"):
        read(tmp_path, path)


def test_a_damaged_archive_is_named(tmp_path):
    path = store(tmp_path, SPLIT, "tar.gz")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="set.tar.gz"):
        read(tmp_path, path)


def test_no_layout_at_all(tmp_path):
    path = store(tmp_path, {"a.png": png(1)}, "folder")
    with pytest.raises(UserError, match="no class folders"):
        read(tmp_path, path)
    shutil.rmtree(path)
    with pytest.raises(UserError, match="does not exist"):
        read(tmp_path, path)
    with pytest.raises(UserError, match="config.data.path is empty"):
        read(tmp_path, "")


def test_splits_without_train(tmp_path):
    path = store(tmp_path, images("set/test/") | images("set/val/"), "zip")
    with pytest.raises(UserError, match="but no train"):
        read(tmp_path, path)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (images("set/docs/", count=1), "beside them docs"),
        (images("set/valid/", count=1), "set/val and set/valid are both validation"),
        (images("set/Training/", count=1), "are both train"),
    ],
    ids=["more", "twice", "case"],
)
def test_splits_that_cannot_be_told_are_refused(tmp_path, extra, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, store(tmp_path, SPLIT | extra, "zip"))


def test_a_class_may_be_called_train(tmp_path):
    raw = read(tmp_path, store(tmp_path, images("set/", classes=("car", "train")), "zip"))
    assert raw.class_names == ("car", "train")


def test_hard_links_in_a_tar_are_files(tmp_path):
    path = store(tmp_path, images("set/"), "tar")
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("./set/ant/9.png")
        link.type, link.linkname = tarfile.LNKTYPE, "./set/ant/2.png"
        archive.addfile(link)
    image = read(tmp_path, path).parts["train"].image.read()
    assert image[:4, 0, 0, 0].tolist() == [0, 1, 2, 2]
    with tarfile.open(path, "a") as archive:
        link.name, link.type = "./set/ant/soft.png", tarfile.SYMTYPE
        archive.addfile(link)
    with pytest.raises(UserError, match=r"soft.png is a symbolic link"):
        read(tmp_path, path)


def test_links_to_folders_are_followed_and_broken_ones_named(tmp_path):
    path = store(tmp_path, images("set/"), "folder")
    shutil.move(path / "set/bee", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path / "set/bee")
    os.symlink(path / "set", path / "set/ant/loop")
    assert len(read(tmp_path, path).parts["train"].id) == 6
    os.symlink(tmp_path / "nowhere", path / "set/ant/gone.png")
    with pytest.raises(UserError, match=r"cannot read .*gone.png: No such file"):
        read(tmp_path, path)


@pytest.mark.parametrize("kind", ["deflate", "encrypted", "xz", "bz2"])
def test_archives_that_cannot_be_read_are_named(tmp_path, kind):
    if kind in ("xz", "bz2"):
        path = tmp_path / f"set.tar.{kind}"
        with tarfile.open(path, f"w:{kind}") as archive:
            info = tarfile.TarInfo("set/ant/0.png")
            info.size = len(png(0, 400))
            archive.addfile(info, io.BytesIO(png(0, 400)))
        content = bytearray(path.read_bytes())
        content[len(content) // 2 :] = b"x" * (len(content) - len(content) // 2)
    else:
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("set/ant/0.png", png(0, 400))
        content = bytearray(path.read_bytes())
        if kind == "deflate":
            content[50:90] = b"x" * 40
        else:
            # The flag of encryption, in the entry and in the directory.
            content[6] |= 1
            content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="set.(zip|tar)"):
        read(tmp_path, path)


def test_content_tells_images_and_labels_not_places(tmp_path):
    path = store(tmp_path, images("set/"), "zip")
    first = read(tmp_path, path).content
    moved = tmp_path / "moved.zip"
    shutil.copy(path, moved)
    assert read(tmp_path, moved).content == first
    assert first != ""
    names = dict(zip(images("set/"), reversed(images("set/").values()), strict=True))
    path.unlink()
    swapped = store(tmp_path, names, "zip")
    assert read(tmp_path, swapped).content != first


def test_images_that_do_not_fit_the_disk_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    path = store(tmp_path, images("", count=3), "folder")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5_000))
    with pytest.raises(UserError) as error:
        read(tmp_path, path, size=30)
    assert "config.data.size is 30: 6 images of 30 x 30 x 3 take 0.0 GB" in str(error.value)
    assert "the disk of" in str(error.value)
    assert len(read(tmp_path, path, size=12).parts["train"].id) == 6
