"""Preparing through TFDS, and reading what it wrote without TensorFlow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image

from kdjax import prepare
from kdjax.data import preview
from kdjax.data.sources import digits
from kdjax.data.store import Images
from kdjax.data.tfds import writer
from kdjax.data.types import DataSet, Request, Split
from kdjax.system.errors import UserError

ROOT = Path(__file__).parents[2]
BUILDER = '''
import numpy as np
import tensorflow_datasets as tfds


class KdjaxShapes(tfds.core.GeneratorBasedBuilder):
    """Bright tops and bright bottoms, from a text file that a user has to put in place."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Put shapes.txt there."

    def _info(self):
        image = tfds.features.Image(shape=(10, 10, 1))
        label = tfds.features.ClassLabel(names=["top", "bottom"])
        features = tfds.features.FeaturesDict({"image": image, "label": label})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        count = int((dl_manager.manual_dir / "shapes.txt").read_text())
        return {"train": self._generate_examples(count), "test": self._generate_examples(4)}

    def _generate_examples(self, count):
        for index in range(count):
            image = np.full((10, 10, 1), index, np.uint8)
            image[:5] += 100 * (index % 2 == 0)
            yield index, {"image": image, "label": index % 2}
'''
RUN = """
import sys
sys.path.insert(0, {folder!r})
import shapes
from absl import flags
from kdjax import prepare
from kdjax.system import cli
sys.argv = ["prepare", *{arguments!r}]
cli.launch(prepare.main, prepare.define)
"""
READ = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
from kdjax.data.sources import folder
from kdjax.data.tfds import reader
from kdjax.data.store import Images
from kdjax.data.types import Request, Split
raw = reader.read("kdjax_shapes", folder.read, Request({data!r}, "", 10, 1, False))
image, label = raw.splits["train"].image.read(), raw.splits["train"].label
assert image.shape == (20, 10, 10, 1), image.shape
assert sorted(image[:, 9, 0, 0].tolist()) == list(range(20))
assert ((image[:, 0, 0, 0] >= 100) == (label == 0)).all()
assert raw.class_names == ("top", "bottom"), raw.class_names
from configs import ce
from kdjax.config import build
config = ce.get_config("tfds/kdjax_shapes")
config.data.data_dir = {data!r}
config.batch_size = 4
data = build.plan(config, 1).data
assert data.image_shape == (32, 32, 3)
assert len(data.splits["test"].id) == 4
small = reader.read("kdjax_shapes", folder.read, Request({data!r}, "", 8, 3, True))
assert small.splits["test"].image.shape == (4, 8, 8, 3)
assert "tensorflow" not in sys.modules
"""


if "manual_dir" not in flags.FLAGS:
    prepare.define()


def python(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def test_prepares_from_manual_files_and_reads_without_tensorflow(tmp_path):
    (tmp_path / "shapes.py").write_text(BUILDER)
    manual, data = tmp_path / "manual", str(tmp_path / "data")
    manual.mkdir()
    arguments = ["--dataset=kdjax_shapes", f"--manual_dir={manual}", f"--data_dir={data}"]
    code = RUN.format(folder=str(tmp_path), arguments=arguments)

    missing = python(code)
    assert missing.returncode == 2, missing.stderr
    assert "kdjax_shapes could not be prepared" in missing.stderr
    assert "shapes.txt" in missing.stderr

    (manual / "shapes.txt").write_text("20")
    done = python(code)
    assert done.returncode == 0, done.stderr
    # What TensorFlow tells of its own.
    assert "oneDNN" not in done.stderr
    assert "bottom" in done.stdout
    assert "32 x 32 x 3" in done.stdout
    # Reading needs the files that preparing wrote, not the builder's code.
    read = python(READ.format(folder=str(tmp_path / "elsewhere"), data=data))
    assert read.returncode == 0, read.stderr


def test_moments_are_numpys():
    image = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 3), np.uint8)
    image[..., 1] //= 2
    split = Split(Images([image]), np.zeros(5), np.arange(5))
    mean, deviation = preview.moments(split)
    np.testing.assert_allclose(mean, image.mean((0, 1, 2)) / 255)
    np.testing.assert_allclose(deviation, image.std((0, 1, 2)) / 255)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset=digits", "--size=0"], "size is 0; it must be greater than 0"),
        (["--dataset=digits", "--sheet=sheet.foo"], "is to be a .png file"),
        (["--dataset=mnist", "--manual_dir=/nowhere"], "--manual_dir=/nowhere is not a folder"),
        (["--dataset=digits", "--manual_dir=."], "digits is read from --path=PATH"),
        ([], "--dataset=NAME is needed"),
    ],
)
def test_flags_are_checked_first(arguments, message):
    with flagsaver.flagsaver():
        flags.FLAGS(["prepare", *arguments])
        with pytest.raises(UserError, match=message):
            prepare.main()


def test_a_summary_and_a_picture_of_every_class(tmp_path, capsys):
    with flagsaver.flagsaver():
        flags.FLAGS(["prepare", "--dataset=digits", f"--sheet={tmp_path}/a/sheet.png"])
        prepare.main()
    shown = capsys.readouterr().out
    assert "1,797" in shown
    assert "1,439 train" in shown
    assert f"Images of every class: {tmp_path}/a/sheet.png" in shown
    sheet = Image.open(tmp_path / "a" / "sheet.png")
    # Ten rows of five images of 16 pixels, three times as large.
    assert sheet.height == 4 + 10 * (48 + 4)
    assert sheet.width > 5 * (48 + 4)
    pixels = np.asarray(sheet.convert("L"))[4:52, -(5 * 52 + 16) : -16]
    zeros = digits.read(Request("", "", 16, 1, False)).splits["train"]
    blocks = [pixels[::3, 52 * i : 52 * i + 48 : 3] for i in range(5)]
    images = zeros.image.read(np.flatnonzero(zeros.label == 0))[..., 0]
    assert all(any((block == image).all() for image in images) for block in blocks)


def test_a_picture_of_attributes_is_named_so(tmp_path, capsys):
    values = [[1, -1], [-1, 1], [1, 1], [-1, -1]]
    rows = [f"{place}.png {one} {other}" for place, (one, other) in enumerate(values)]
    (tmp_path / "list_attr_x.txt").write_text("\n".join(["4", "Bright Round", *rows]))
    for place in range(4):
        Image.new("RGB", (8, 8), (60 * place,) * 3).save(tmp_path / f"{place}.png")
    with flagsaver.flagsaver():
        paths = [f"--path={tmp_path}", f"--data_dir={tmp_path}/data", f"--sheet={tmp_path}/a.png"]
        flags.FLAGS(["prepare", "--dataset=attributes", "--size=8", *paths])
        prepare.main()
    assert f"Images of every attribute: {tmp_path}/a.png" in capsys.readouterr().out


def test_every_folder_has_a_picture_of_its_own(tmp_path, capsys):
    for place, root in enumerate(("one/set", "two/set")):
        for name in ("ant", "bee"):
            folder = tmp_path / root / name
            folder.mkdir(parents=True)
            for index in range(3):
                Image.new("RGB", (8, 8), (50 * place,) * 3).save(folder / f"{index}.png")
        with flagsaver.flagsaver():
            arguments = [f"--path={tmp_path / root}", f"--data_dir={tmp_path / 'data'}"]
            flags.FLAGS(["prepare", "--dataset=folder", "--size=8", *arguments])
            prepare.main()
    said = capsys.readouterr().out
    sheets = sorted((tmp_path / "data" / "kdjax").glob("folder-set-*.png"))
    assert len(sheets) == 2
    assert all(f"Images of every class: {sheet}" in said for sheet in sheets)


def test_a_set_that_cannot_be_trained_on_is_refused(tmp_path):
    for index in range(5):
        for name in ("ant", "bee")[: 1 if index > 1 else 2]:
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(tmp_path / "set" / name / f"{index}.png")
    with flagsaver.flagsaver():
        arguments = [f"--path={tmp_path / 'set'}", f"--data_dir={tmp_path / 'data'}"]
        flags.FLAGS(["prepare", "--dataset=folder", "--size=8", *arguments])
        with pytest.raises(UserError, match=r"'bee' \(2\). A class needs 3"):
            prepare.main()


def test_names_are_not_markup(tmp_path, capsys):
    image = Images([np.zeros((2, 4, 4, 1), np.uint8)])
    split = Split(image, np.array([0, 1], np.int32), np.arange(2, dtype=np.int32))
    raw = DataSet({"train": split}, ("[/b]", "[red]"), "set")
    preview.print_summary(raw, DataSet({"train": split}, raw.class_names, "set"))
    shown = capsys.readouterr().out
    assert "[/b]" in shown
    assert "[red]" in shown


def test_unknown_data_set(tmp_path):
    for name in ("no_such_set", "no such set"):
        with pytest.raises(UserError, match=f"no data set '{name}'"):
            writer.prepare(name, manual_dir=None, data_dir=str(tmp_path))


def test_without_tensorflow_the_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match="pip install tensorflow-cpu"):
        writer.prepare("mnist", manual_dir=None, data_dir=str(tmp_path))


@pytest.mark.parametrize("there", [0, 3])
def test_a_folder_that_lacks_archives_is_refused_before_any_download(tmp_path, monkeypatch, there):
    import tensorflow_datasets as tfds

    monkeypatch.delattr(tfds.core.DatasetBuilder, "download_and_prepare")
    names = ["t10k-images-idx3", "t10k-labels-idx1", "train-images-idx3", "train-labels-idx1"]
    files = [f"{name}-ubyte.gz" for name in names]
    for name in files[:there]:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError) as error:
        writer.prepare("mnist", manual_dir=str(tmp_path), data_dir=str(tmp_path / "data"))
    them = "it" if there == 3 else "them"
    assert f"{tmp_path} lacks {', '.join(files[there:])}: put {them} there" in str(error.value)


def test_a_damaged_archive_is_refused(tmp_path):
    """TFDS knows the official files' checksums."""
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (tmp_path / f"{name}-ubyte.gz").write_bytes(b"not the official bytes")
    with pytest.raises(UserError, match="not the official one"):
        writer.prepare("mnist", manual_dir=str(tmp_path), data_dir=str(tmp_path / "data"))
