"""Images with an attribute file: every layout, and every line that can be wrong."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from configs import ce
from kdjax.config import build
from kdjax.data.sources import attributes
from kdjax.data.types import Request
from kdjax.system.errors import UserError

NAMES = [f"{index}.png" for index in range(1, 9)]
TABLE = "8\nYoung Hat Bald\n" + "".join(
    f"{name}  {1 if index & 1 else -1} {1 if index & 2 else -1}  {1 if index & 4 else -1}\n"
    for index, name in enumerate(NAMES, start=1)
)
PARTITION = "".join(f"{name} {max(0, index - 5)}\n" for index, name in enumerate(NAMES))


def png(value, size=(9, 14)):
    stream = io.BytesIO()
    Image.new("RGB", size, (value,) * 3).save(stream, "PNG")
    return stream.getvalue()


def layout(tmp_path, *, kind="zip", table=TABLE, partition=PARTITION, files=None):
    """A folder in CelebA's layout; image i has the grey i."""
    root = tmp_path / "faces"
    root.mkdir()
    (root / "list_attr_faces.txt").write_text(table)
    if partition is not None:
        (root / "list_eval_partition.txt").write_text(partition)
    files = files or {f"img/{name}": png(index) for index, name in enumerate(NAMES, start=1)}
    if kind == "zip":
        with zipfile.ZipFile(root / "img.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        for name, content in files.items():
            path = root / (name if kind == "folder" else name.split("/")[-1])
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    return root


def read(tmp_path, root, size=9):
    return attributes.read(Request(str(tmp_path / "data"), str(root), size, 3, True))


@pytest.mark.parametrize("kind", ["zip", "folder", "beside"])
def test_every_place_for_the_images(tmp_path, kind):
    raw = read(tmp_path, layout(tmp_path, kind=kind))
    assert raw.class_names == ("Young", "Hat", "Bald")
    assert {name: len(part.id) for name, part in raw.splits.items()} == {
        "train": 6,
        "validation": 1,
        "test": 1,
    }
    for part in raw.splits.values():
        image = part.image.read()
        assert image.shape[1:] == (9, 9, 3)
        index = image[:, 0, 0, 0]
        np.testing.assert_array_equal(part.label, index[:, None] >> np.arange(3) & 1)


def test_windows_line_ends_and_marks_are_read(tmp_path):
    root = layout(tmp_path, table="\ufeff" + TABLE.replace("\n", "\r\n") + "\r\n\r\n")
    assert read(tmp_path, root).class_names == ("Young", "Hat", "Bald")


def test_zeros_in_all_lines_are_read_as_minus_ones_are(tmp_path):
    root = layout(tmp_path)
    before = read(tmp_path, root).splits["train"].label
    (root / "list_attr_faces.txt").write_text(TABLE.replace("-1", "0"))
    np.testing.assert_array_equal(read(tmp_path, root).splits["train"].label, before)


def test_without_a_partition_all_is_train(tmp_path):
    raw = read(tmp_path, layout(tmp_path, partition=None))
    assert set(raw.splits) == {"train"}
    assert len(raw.splits["train"].id) == 8


def test_the_cache_changes_with_a_label(tmp_path):
    root = layout(tmp_path)
    before = read(tmp_path, root).splits["train"].label
    (root / "list_attr_faces.txt").write_text(TABLE.replace("1.png  1", "1.png -1"))
    after = read(tmp_path, root).splits["train"].label
    assert (before != after).sum() == 1


def without(text, part):
    return "".join(line for line in text.splitlines(True) if part not in line)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"table": TABLE.replace("3.png  1 1  -1", "3.png  1 1")},
            r"list_attr_faces.txt line 5: 3.png has 2 values; there are 3 attributes",
        ),
        (
            {"table": TABLE.replace("3.png  1 1  -1", "3.png  1 1  maybe")},
            r"line 5: Bald of 3.png is 'maybe'; it must be 1, -1 or 0",
        ),
        (
            {"table": TABLE.replace("4.png  -1", "4.png  0")},
            r"line 6: 4.png has the value 0, but line 3 has -1: write 1 and -1 in all lines, or 1",
        ),
        ({"table": TABLE.replace("4.png", "2.png")}, r"line 6: 2.png was on line 4 already"),
        ({"table": TABLE.replace("8\n", "9\n", 1)}, r"line 1 says '9' images; there are 8"),
        ({"table": TABLE.replace("Hat", "Young")}, "line 2 names Young twice"),
        ({"table": TABLE.replace("Young Hat Bald", "")}, "line 2 has no names of attributes"),
        ({"table": "8\n"}, r"list_attr_faces.txt has 1 lines"),
        ({"table": TABLE.replace("7.png", "77.png")}, r"partition.txt line 7: 7.png has no line"),
        (
            {"table": TABLE.replace("7.png", "77.png"), "partition": None},
            r"attr_faces.txt line 9: there is no image 77.png in .*img.zip",
        ),
        ({"partition": PARTITION.replace("4.png 0", "4.png")}, r"partition.txt line 4: '4.png'"),
        ({"partition": PARTITION.replace("4.png 0", "4.png 3")}, r"partition.txt line 4: '4.png 3"),
        ({"partition": without(PARTITION, "5.png")}, r"partition.txt has no line for 5.png"),
        ({"partition": PARTITION + "5.png 0\n"}, r"line 9: 5.png was on line 5 already"),
        ({"partition": PARTITION.replace(" 0", " 2")}, r"no image is in part 0 \(train\)"),
        (
            {
                "files": {
                    f"{f}/{n}": png(0) for f, n in [*(("a", n) for n in NAMES), ("b", "4.png")]
                }
            },
            r"img.zip has two images of the name 4.png: a/4.png and b/4.png",
        ),
        ({"files": {n: png(1)[: 20 if n == "6.png" else None] for n in NAMES}}, "6.png .*decoded"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_cached(tmp_path, changes, message):
    root = layout(tmp_path, **changes)
    with pytest.raises(UserError, match=message):
        read(tmp_path, root)
    assert not list((tmp_path / "data").rglob("train"))


def test_files_that_are_missing_or_too_many(tmp_path):
    root = layout(tmp_path)
    (root / "more_attr.txt").write_text(TABLE)
    with pytest.raises(UserError, match=r"more than one attribute file: list_attr_faces.txt, more"):
        read(tmp_path, root)
    (root / "more_attr.txt").unlink()
    (root / "other.tar").write_bytes(b"")
    with pytest.raises(UserError, match=r"more than one archive: img.zip, other.tar; keep"):
        read(tmp_path, root)
    (root / "list_attr_faces.txt").unlink()
    with pytest.raises(UserError, match="has no attribute file"):
        read(tmp_path, root)
    with pytest.raises(UserError, match="is not a folder"):
        read(tmp_path, root / "img.zip")
    with pytest.raises(UserError, match="config.data.path is empty"):
        attributes.read(Request("", "", 9, 3, True))


@pytest.mark.parametrize("dataset", ["celeb_a", "attributes"])
def test_a_plan_is_multi_label(tmp_path, dataset):
    from kdjax.step import tasks

    config = ce.get_config(dataset)
    config.data.path = str(layout(tmp_path))
    config.data.data_dir = str(tmp_path / "data")
    config.data.size = 16
    config.batch_size = 2
    plan = build.plan(config, devices=1)
    assert plan.data.attributes == ("Young", "Hat", "Bald")
    assert plan.stages[0].code.task is tasks.MULTI_LABEL
    ids = np.concatenate([split.id for split in plan.data.splits.values()])
    assert sorted(ids) == list(range(8))
