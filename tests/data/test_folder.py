"""Class folders in every layout and container, and every way in which they can be wrong."""

import io
import os
import shutil
import tarfile
import zipfile
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdjax.data.files import archive
from kdjax.data.sources import folder
from kdjax.data.types import Request
from kdjax.system.errors import UserError


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
    assert {part: len(split.id) for part, split in raw.splits.items()} == {
        "train": 6,
        "test": 4,
        "validation": 2,
    }
    image, label = raw.splits["train"].image.read(), raw.splits["train"].label
    np.testing.assert_array_equal(image[:, 0, 0, 0], [0, 1, 2, 50, 51, 52])
    np.testing.assert_array_equal(label, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(raw.splits["test"].image.read()[:, 5, 5, 2], [20, 21, 70, 71])


@pytest.mark.parametrize("root", ["", "set/", "set/Images/"])
def test_without_splits_all_is_train(tmp_path, root):
    raw = read(tmp_path, store(tmp_path, images(root), "zip"), size=6, channels=1)
    assert set(raw.splits) == {"train"}
    assert raw.splits["train"].image.shape == (6, 6, 6, 1)


def test_a_single_class_folder_is_a_class(tmp_path):
    raw = read(tmp_path, store(tmp_path, images("set/", classes=("only",)), "zip"))
    assert raw.class_names == ("only",)


def test_hidden_files_and_files_beside_the_classes_are_passed_over(tmp_path):
    extra = {"set/train/ant/.DS_Store": b"x", "__MACOSX/set/a": b"x", "set/README.txt": b"x"}
    assert len(read(tmp_path, store(tmp_path, SPLIT | extra, "zip")).splits["train"].id) == 6


def test_the_cache_is_read_again_until_a_file_changes(tmp_path):
    path = store(tmp_path, SPLIT, "folder")
    read(tmp_path, path)
    caches = list((tmp_path / "data" / "kdjax").glob("decoded*/*"))
    np.save(caches[0] / "train" / "label.npy", np.ones(6, np.int32))
    assert read(tmp_path, path).splits["train"].label.tolist() == [1] * 6
    (path / "set/train/ant/9.png").write_bytes(png(9))
    assert read(tmp_path, path).splits["train"].label.tolist() == [0] * 4 + [1] * 3


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"set/train/ant/note.png": b"a note"}, "set/train/ant/note.png is not an image"),
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


@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_files_that_are_no_images_are_left_out_and_said_once(tmp_path, capsys, kind):
    notes = {f"set/train/ant/{name}": b"a note" for name in ("a.txt", "b.csv", "c", "d.md")}
    files = SPLIT | notes | {"set/train/bee/no_suffix": png(9)}
    raw = read(tmp_path, store(tmp_path, files, kind))
    assert raw.splits["train"].image.read()[:, 0, 0, 0].tolist() == [0, 1, 2, 50, 51, 52, 9]
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "4 files are no images and are left out: set/train/ant/a.txt, " in said[0]
    assert said[0].endswith("set/train/ant/c and 1 more")


def test_a_class_of_files_that_are_no_images_is_empty(tmp_path):
    path = store(tmp_path, SPLIT | {"set/train/cow/note.txt": b"a note"}, "zip")
    with pytest.raises(UserError, match="class folder set/train/cow has no images"):
        read(tmp_path, path)


def test_broken_images_of_all_parts_are_named_at_once(tmp_path):
    broken = {f"set/train/ant/{index:02}.jpg": half_a_jpeg() for index in range(9)}
    path = store(tmp_path, SPLIT | broken | {f"set/test/bee/{i}.png": b"" for i in (7, 8)}, "zip")
    with pytest.raises(UserError) as error:
        read(tmp_path, path)
    message = str(error.value)
    assert message.startswith("11 images are broken: ")
    assert message.endswith(" and 1 more")
    assert sum(name in message for name in broken) == 8
    assert "set.zip: set/test/bee/7.png is not an image" in message


@pytest.mark.parametrize("name", ["/etc/ant/9.png", "set/train/../ant/9.png", "../ant/9.png"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_lead_outside_are_refused(tmp_path, kind, name):
    path = store(tmp_path, SPLIT, kind)
    if kind == "zip":
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, png(9))
    else:
        with tarfile.open(path, "a") as archive:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(UserError, match=f"set.{kind}: the name '{name}' leads outside"):
        read(tmp_path, path)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_names_that_are_not_utf_8_are_refused(tmp_path, kind):
    files = {"set/caf?/0.png": png(1)} | images("set/")
    if kind == "folder":
        path = store(tmp_path, images("set/"), kind)
        folder_of_bytes = os.fsencode(path / "set") + b"/caf\xe9"
        os.mkdir(folder_of_bytes)
    else:
        path = store(tmp_path, files, kind)
        content = path.read_bytes().replace(b"caf?", b"caf\xe9")
        if kind == "zip":
            # The flag of UTF-8, in the first entry and in the directory.
            content = bytearray(content)
            content[7] |= 8
            content[content.index(b"PK\x01\x02") + 9] |= 8
        else:
            content = with_checksums(content)
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"caf.xe9.* is not UTF-8; rename it") as error:
        read(tmp_path, path)
    str(error.value).encode()


def with_checksums(content):
    """A tar whose headers' checksums are right again."""
    content = bytearray(content)
    for start in range(0, len(content), 512):
        if content[start + 257 : start + 262] == b"ustar":
            content[start + 148 : start + 156] = b" " * 8
            total = sum(content[start : start + 512])
            content[start + 148 : start + 156] = b"%06o\0 " % total
    return bytes(content)


def test_an_empty_class_is_named(tmp_path):
    path = store(tmp_path, SPLIT, "folder")
    (path / "set/train/cow").mkdir()
    with pytest.raises(UserError, match="class folder set/train/cow has no images"):
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


def test_without_training_any_parts_and_classes_are_read(tmp_path):
    """For evaluation, where classes are another run's."""
    files = images("set/test/", classes=("bee",)) | images("set/val/", classes=("cow",))
    request = Request(str(tmp_path / "data"), str(store(tmp_path, files, "zip")), 12, 3, False)
    raw = folder.read(request, training=False)
    assert raw.class_names == ("bee", "cow")
    assert raw.splits["validation"].label.tolist() == [1] * 3
    with pytest.raises(UserError, match="but no train"):
        folder.read(request)


def test_a_split_without_class_folders_is_named(tmp_path):
    path = store(tmp_path, SPLIT, "folder")
    shutil.rmtree(path / "set/test")
    (path / "set/test").mkdir()
    with pytest.raises(UserError, match="set/test has no class folders"):
        read(tmp_path, path)


def test_a_class_may_be_called_train(tmp_path):
    raw = read(tmp_path, store(tmp_path, images("set/", classes=("car", "train")), "zip"))
    assert raw.class_names == ("car", "train")


def test_hard_links_in_a_tar_are_files(tmp_path):
    path = store(tmp_path, images("set/"), "tar")
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("./set/ant/9.png")
        link.type, link.linkname = tarfile.LNKTYPE, "./set/ant/2.png"
        archive.addfile(link)
    image = read(tmp_path, path).splits["train"].image.read()
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
    assert len(read(tmp_path, path).splits["train"].id) == 6
    os.symlink(tmp_path / "nowhere", path / "set/ant/gone.png")
    with pytest.raises(UserError, match=r"cannot read .*gone.png: No such file"):
        read(tmp_path, path)


@pytest.mark.parametrize("kind", ["deflate", "encrypted", "xz", "bz2"])
def test_archives_that_cannot_be_read_are_named(tmp_path, kind):
    if kind in ("xz", "bz2"):
        path = tmp_path / f"set.tar.{kind}"
        # A variable mode fits none of the declared overloads.
        open_tar: Any = tarfile.open
        with open_tar(path, f"w:{kind}") as archive:
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
    assert len(read(tmp_path, path, size=12).splits["train"].id) == 6


@pytest.mark.parametrize("content", [b"some text\n", None])
def test_what_is_no_archive_is_said_alone(tmp_path, content):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w") as archive_file:
        archive_file.writestr("ant/0.png", b"0" * 1000)
    path.write_bytes(content or path.read_bytes()[:600])
    with pytest.raises(UserError) as error:
        archive.listing(path)
    assert str(error.value) == f"{path} is no folder, zip or tar that can be read"
