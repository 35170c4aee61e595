"""StableHLO files: without this project, for other devices, and damaged."""

import json
import subprocess
import sys

import numpy as np
import pytest

from kdjax.interchange.formats import stablehlo
from kdjax.system.errors import UserError
from tests.interchange.exports import CLASSES, assert_same_outputs, images, load

ALONE = """
import io, json, sys, zipfile
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("kdjax", "configs", "flax"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import jax
import numpy as np
archive = zipfile.ZipFile(sys.argv[1])
network = jax.export.deserialize(archive.read("program.bin"))
rng = np.random.default_rng(3)
outputs = network.call(rng.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8))
print(json.dumps({
    "platforms": network.platforms,
    "outputs": {name: value.tolist() for name, value in outputs.items()},
    "class_names": json.loads(archive.read("metadata.json"))["class_names"],
}))
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    loaded = load("plain.plain2")
    path = tmp_path_factory.mktemp("stablehlo") / "network.stablehlo.zip"
    path.write_bytes(stablehlo.encode(loaded, ("stem", "pooled")))
    return loaded, path


def test_a_file_computes_what_the_network_computes(written):
    loaded, path = written
    file = stablehlo.read(path)
    assert_same_outputs(file, loaded, ("stem", "pooled"))
    assert file.metadata["features"] == ["stem", "pooled"]
    assert file.metadata["outputs"]["stem"] == [16, 16, 16]


def test_a_file_runs_where_this_project_is_not(written, tmp_path):
    loaded, path = written
    (tmp_path / "alone.py").write_text(ALONE)
    done = subprocess.run(
        [sys.executable, "alone.py", str(path)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    there = json.loads(done.stdout)
    assert there["platforms"] == ["cpu", "cuda", "tpu"]
    assert there["class_names"] == list(CLASSES)
    here = stablehlo.read(path).run(images(loaded, 3, seed=3))
    for name, value in here.items():
        np.testing.assert_allclose(there["outputs"][name], value, atol=1e-5)


def test_the_same_network_gives_the_same_file_which_names_no_path(written):
    loaded, path = written
    content = path.read_bytes()
    assert stablehlo.encode(loaded, ("stem", "pooled")) == content
    assert b".py" not in content


def test_files_that_cannot_be_read_are_one_line(written, tmp_path):
    with pytest.raises(UserError, match="cannot read .*: No such file"):
        stablehlo.read(tmp_path / "none.stablehlo.zip")
    cut = tmp_path / "cut.stablehlo.zip"
    cut.write_bytes(written[1].read_bytes()[:2000])
    with pytest.raises(UserError, match="is no StableHLO file of kdjax's"):
        stablehlo.read(cut)
