"""Data sets of TFDS, and AID, from small archives in the official layout; checksums honoured."""

import hashlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from configs import base
from kdjax.config import build_data
from kdjax.data.tfds import writer
from kdjax.data.tfds.builders import aid
from kdjax.system.errors import UserError

STEP = 5
"""Grey levels between the images of one class and those of the next."""


def image(value, size=(16, 16), kind="JPEG"):
    stream = io.BytesIO()
    Image.new("RGB", size, (value,) * 3).save(stream, kind)
    return stream.getvalue()


def by_class(pattern, names, *, each=2, **changes):
    """Files by name; the grey of an image tells its class."""
    return {
        pattern.format(name=name, number=number): image(STEP * place, **changes)
        for place, name in enumerate(names)
        for number in range(each)
    }


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def labels_of(name):
    """TFDS's classes, from the builder's own description."""
    import tensorflow_datasets as tfds

    return tfds.builder(name).info.features["label"].names


def register(monkeypatch, name, manual):
    """Makes TFDS expect the archives that a test has written, in place of the official bytes."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import checksums

    builder = tfds.builder_cls(name)
    infos = {
        url: checksums.UrlInfo(
            size=len(content := (manual / info.filename).read_bytes()),
            checksum=hashlib.sha256(content).hexdigest(),
            filename=info.filename,
        )
        for url, info in builder.url_infos.items()
        if (manual / info.filename).exists()
    }
    assert infos
    monkeypatch.setattr(builder, "url_infos", infos)


def prepared(tmp_path, dataset, tfds_name, manual):
    """The data as a run sees it, at 8 pixels."""
    data_dir = str(tmp_path / "data")
    writer.prepare(tfds_name, manual_dir=str(manual), data_dir=data_dir)
    config = base.get_config(method="", dataset=dataset)
    config.data.data_dir, config.data.size = data_dir, 8
    return build_data.source(dataset)(build_data.request(config.data))


def assert_labels_fit(split, each):
    grey = split.image.read().mean((1, 2, 3))
    np.testing.assert_allclose(grey, STEP * split.label, atol=2)
    assert (np.bincount(split.label) == each).all()


@pytest.fixture
def manual(tmp_path):
    folder = tmp_path / "manual"
    folder.mkdir()
    return folder


def test_eurosat(tmp_path, manual, monkeypatch):
    files = by_class("2750/{name}/{name}_{number}.jpg", labels_of("eurosat"), size=(64, 64))
    zipped(manual / "EuroSAT.zip", files)
    register(monkeypatch, "eurosat", manual)
    raw = prepared(tmp_path, "eurosat", "eurosat", manual)
    assert raw.class_names[0] == "AnnualCrop"
    assert len(raw.class_names) == 10
    assert_labels_fit(raw.splits["train"], 2)


def test_uc_merced(tmp_path, manual, monkeypatch):
    pattern = "UCMerced_LandUse/Images/{name}/{name}{number:02}.tif"
    zipped(
        manual / "UCMerced_LandUse.zip",
        by_class(pattern, labels_of("uc_merced"), size=(256, 250), kind="TIFF"),
    )
    register(monkeypatch, "uc_merced", manual)
    raw = prepared(tmp_path, "uc_merced", "uc_merced", manual)
    assert len(raw.class_names) == 21
    assert_labels_fit(raw.splits["train"], 2)


def test_resisc45(tmp_path, manual):
    pattern = "NWPU-RESISC45/{name}/{name}_{number:03}.jpg"
    for name, content in by_class(pattern, labels_of("resisc45"), size=(256, 256)).items():
        (manual / name).parent.mkdir(parents=True, exist_ok=True)
        (manual / name).write_bytes(content)
    raw = prepared(tmp_path, "resisc45", "resisc45", manual)
    assert len(raw.class_names) == 45
    assert_labels_fit(raw.splits["train"], 2)


@pytest.mark.parametrize("unpacked", [False, True])
def test_aid(tmp_path, manual, unpacked):
    files = by_class("AID/{name}/{name}_{number}.jpg", aid.CLASSES, size=(20, 20))
    zipped(manual / "AID.zip", files)
    if unpacked:
        zipfile.ZipFile(manual / "AID.zip").extractall(manual)
        (manual / "AID.zip").unlink()
    raw = prepared(tmp_path, "aid", "aid", manual)
    assert raw.class_names == tuple(aid.CLASSES)
    assert_labels_fit(raw.splits["train"], 2)


def test_aid_with_a_class_missing(tmp_path, manual):
    zipped(manual / "AID.zip", by_class("AID/{name}/{number}.jpg", aid.CLASSES[1:]))
    with pytest.raises(UserError, match="not AID's 30 classes; too many or missing: Airport"):
        prepared(tmp_path, "aid", "aid", manual)


def test_celeb_a(tmp_path, manual, monkeypatch):
    """Attribute k of image i is bit k of i; the grey of image i is 20 i."""
    import tensorflow_datasets as tfds

    attributes = list(tfds.builder("celeb_a").info.features["attributes"])
    names = [f"{index:06}.jpg" for index in range(1, 11)]
    faces = {
        f"img_align_celeba/{name}": image(20 * place, size=(178, 218))
        for place, name in enumerate(names, start=1)
    }
    zipped(manual / "img_align_celeba.zip", faces)
    rows = [
        " ".join("1" if place >> (k % 5) & 1 else "-1" for k in range(len(attributes)))
        for place in range(1, 11)
    ]

    def table(header, values):
        lines = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
        return "\n".join([*header, *lines]) + "\n"

    points = ["lefteye", "righteye", "nose", "leftmouth", "rightmouth"]
    landmarks = " ".join(f"{point}_{axis}" for point in points for axis in "xy")
    texts = {
        "list_attr_celeba.txt": table(["10", " ".join(attributes)], rows),
        "list_landmarks_align_celeba.txt": table(["10", landmarks], ["1 " * 10] * 10),
        "identity_CelebA.txt": table([], range(10)),
        "list_eval_partition.txt": table([], [0] * 6 + [1] * 2 + [2] * 2),
    }
    for name, text in texts.items():
        (manual / name).write_text(text)
    register(monkeypatch, "celeb_a", manual)
    raw = prepared(tmp_path, "celeb_a", "celeb_a", manual)
    assert {name: len(part.id) for name, part in raw.splits.items()} == {
        "train": 6,
        "validation": 2,
        "test": 2,
    }
    assert set(raw.class_names) == set(attributes)
    for part in raw.splits.values():
        place = np.round(part.image.read().mean((1, 2, 3)) / 20).astype(int)
        bits = [attributes.index(name) % 5 for name in raw.class_names]
        np.testing.assert_array_equal(part.label, place[:, None] >> np.array(bits) & 1)


def test_a_data_set_that_is_none_of_ours(tmp_path, manual, monkeypatch):
    """By name alone, with no code of ours that knows it."""
    for archive in ("horse-or-human.zip", "validation-horse-or-human.zip"):
        zipped(
            manual / archive,
            by_class(
                "{name}/{number}.png", ("horses", "humans"), each=8, size=(300, 300), kind="PNG"
            ),
        )
    register(monkeypatch, "horses_or_humans", manual)
    raw = prepared(tmp_path, "tfds/horses_or_humans", "horses_or_humans", manual)
    assert raw.class_names == ("horses", "humans")
    assert set(raw.splits) == {"train", "test"}
    assert_labels_fit(raw.splits["test"], 8)


def test_an_archive_of_other_bytes_is_refused(tmp_path, manual):
    zipped(manual / "EuroSAT.zip", {"2750/Forest/Forest_1.jpg": image(1)})
    with pytest.raises(UserError, match="not the official one.*Get EuroSAT.zip, put it into"):
        prepared(tmp_path, "eurosat", "eurosat", manual)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("aid", "AID.zip from .* pass that as --manual_dir=DIR"),
        ("resisc45", "OneDrive.*extract it to the manual_dir"),
    ],
)
def test_what_needs_a_manual_download_says_so(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        writer.prepare(name, manual_dir=None, data_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("eurosat", "get EuroSAT.zip elsewhere"),
        ("celeb_a", "identity_CelebA.txt and img_align_celeba.zip and list_attr_celeba.txt"),
    ],
)
@pytest.mark.parametrize("gone", ["unreachable", "404"])
def test_an_address_that_no_longer_answers(tmp_path, monkeypatch, name, files, gone):
    """The message says which files to get and where to put them."""
    import requests
    from tensorflow_datasets.core.download import downloader, util

    def get(session, url, **_):
        if gone == "unreachable":
            raise requests.exceptions.ConnectionError(f"no route to {url}")
        raise util.DownloadError(f"Failed to get url {url}. HTTP code: 404.")

    monkeypatch.setattr(requests.Session, "get", get)
    monkeypatch.setattr(downloader, "MAX_RETRIES", 0)
    with pytest.raises(UserError, match=f"{files}.*pass that as --manual_dir=DIR"):
        writer.prepare(name, manual_dir=None, data_dir=str(tmp_path))


def test_labels_that_are_not_public_leave_their_part_out(tmp_path, capsys):
    import tensorflow_datasets as tfds

    class KdjaxHidden(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(4, 4, 1)),
                "label": tfds.features.ClassLabel(num_classes=2),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples(1), "test": self._generate_examples(-1)}

        def _generate_examples(self, label):
            for index in range(20):
                yield index, {"image": np.zeros((4, 4, 1), np.uint8), "label": label}

    raw = prepared(tmp_path, "tfds/kdjax_hidden", "kdjax_hidden", tmp_path)
    assert set(raw.splits) == {"train"}
    assert "labels of test are not public" in capsys.readouterr().err
    assert KdjaxHidden.name == "kdjax_hidden"
