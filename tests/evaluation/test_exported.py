"""Exports of a real run: checked files, their records, and no teacher in them."""

import json
import shutil
import sys

import jax
import numpy as np
import pytest

from kdjax.evaluation import exported
from kdjax.evaluation.exported import Options
from kdjax.interchange import onnx_file, serving
from kdjax.interchange.formats import onnx as onnx_format
from kdjax.interchange.formats import safetensors, stablehlo
from kdjax.runs import importing
from kdjax.runs.loaded import load_network
from kdjax.system.errors import UserError
from tests import torch_libraries
from tests.helpers import evaluated
from tests.interchange.weights import references

pytestmark = [pytest.mark.usefixtures("one_device"), pytest.mark.usefixtures("standard")]
pytest.importorskip("onnxruntime", reason="needs requirements/export.txt")


def options(run, tmp_path, **changes):
    values = dict(
        workdir=run[0], network="peer_0", timing=False, output=tmp_path / "file", teacher=""
    )
    return Options(**(values | changes))


def rows(record):
    return {row["name"]: row for row in record["rows"]}


def holds(content, leaf):
    """Whether bytes hold an array's values, as Flax or as ONNX lays them out."""
    array = np.asarray(leaf)
    orders = [array]
    if array.ndim == 4:
        orders.append(array.transpose(3, 2, 0, 1))
    if array.ndim == 2:
        orders.append(array.T)
    return any(np.ascontiguousarray(order).tobytes() in content for order in orders)


def kernels(loaded):
    leaves = jax.tree.leaves(loaded.state.params)
    return [leaf for leaf in leaves if leaf.ndim > 1]


@pytest.mark.parametrize("name", ["onnx", "stablehlo", "safetensors"])
def test_a_file_has_the_student_alone_and_its_accuracy(name, two_phases, tmp_path):
    """The accuracy is the evaluation's, and no weight of teacher or other peers is in the file."""
    chosen = options(two_phases, tmp_path, format=name, teacher="teacher")
    record = exported.export(chosen)
    content = (tmp_path / "file").read_bytes()
    network, file, teacher = record["rows"]
    figures = evaluated(two_phases[0])["networks"]
    assert network["accuracy"] == file["accuracy"] == figures["peer_0"]["accuracy"]
    assert teacher["name"] == "teacher, Flax compiled"
    assert teacher["accuracy"] == figures["teacher"]["accuracy"]
    assert file["equal_predictions"] == 1.0
    assert file["largest_difference"] < (1e-5 if name != "safetensors" else 1e-9)
    assert file["kilobytes"] == len(content) / 1e3
    assert record["images"] == {"count": 179, "kind": "test images"}
    assert json.loads((tmp_path / "file.json").read_text()) == record

    student = load_network(two_phases[0], "peer_0")
    assert all(holds(content, kernel) for kernel in kernels(student))
    for other in ("teacher", "peer_1"):
        weights = kernels(load_network(two_phases[0], other))
        assert not any(holds(content, kernel) for kernel in weights)
    form = {"onnx": onnx_format, "stablehlo": stablehlo, "safetensors": safetensors}[name]
    metadata = form.read(tmp_path / "file").metadata
    assert metadata == record["metadata"]
    assert metadata["provenance"]["test"] == two_phases[1]["networks"]["peer_0"]["test"]
    assert metadata["provenance"]["git_commit"] == two_phases[1]["git_commit"]


def test_int8_beside_float32_and_another_run(two_phases, tmp_path, capsys):
    chosen = options(
        two_phases, tmp_path, int8=True, calibration_images=20, beside=two_phases[0], timing=True
    )
    record = exported.export(chosen)
    assert [row["name"] for row in record["rows"]] == [
        "peer_0, Flax compiled",
        "peer_0, ONNX Runtime",
        "peer_0, ONNX Runtime int8",
        f"peer_0 of {two_phases[0]}, Flax compiled",
        f"peer_0 of {two_phases[0]}, ONNX Runtime int8",
    ]
    _, exact, quantised, _, beside = record["rows"]
    assert exact["equal_predictions"] == 1.0
    assert quantised["kilobytes"] < exact["kilobytes"]
    assert quantised["largest_difference"] > exact["largest_difference"]
    keys = ("kilobytes", "accuracy", "largest_difference", "equal_predictions")
    # The other run is the same one.
    assert [quantised[key] for key in keys] == [beside[key] for key in keys]
    assert all(row["latency_median"] > 0 and row["throughput"] > 0 for row in record["rows"])
    assert record["calibration_images"] == 20
    assert onnx_file.read(tmp_path / "file").metadata["quantised"] == "int8"
    exported.show(record)
    shown = capsys.readouterr().out
    assert "Calibrated on 20 training images" in shown
    assert f"{quantised['accuracy']:.2%}" in shown


def test_a_file_that_computes_something_else_is_not_written(two_phases, tmp_path, monkeypatch):
    def encode(loaded, features=()):
        params = jax.tree.map(lambda x: x * 1.01, loaded.state.params)
        changed = loaded._replace(state=loaded.state._replace(params=params))
        return right(changed, features)

    right = stablehlo.encode
    monkeypatch.setattr(stablehlo, "encode", encode)
    with pytest.raises(UserError, match=r"peer_0, StableHLO does not compute what peer_0, Flax"):
        exported.export(options(two_phases, tmp_path, format="stablehlo"))
    assert not [*tmp_path.iterdir()]


def test_features_and_fewer_images(two_phases, tmp_path):
    chosen = options(
        two_phases, tmp_path, format="stablehlo", features=("pooled", "stem"), images=7
    )
    record = exported.export(chosen)
    assert record["images"]["count"] == 7
    assert record["metadata"]["features"] == ["pooled", "stem"]


def test_names_of_files(two_phases, tmp_path):
    copy = shutil.copytree(two_phases[0], tmp_path / "run")
    chosen = options((copy,), tmp_path, format="safetensors", output=None, images=1)
    record = exported.export(chosen)
    path = copy / "peer_0.safetensors"
    assert record["file"] == str(path)
    assert path.stat().st_size == 1e3 * record["rows"][1]["kilobytes"]
    assert (copy / "peer_0.safetensors.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(format="onxx"), r"unknown format 'onxx'. Did you mean 'onnx'"),
        (dict(format="stablehlo", int8=True), "--int8 is for --format=onnx"),
        (dict(network="peer_2"), "unknown network .* 'peer_2'"),
        (dict(format="stablehlo", features=("stam",)), "unknown feature 'stam'"),
    ],
    ids=str,
)
def test_refusals(changes, message, two_phases, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        exported.export(options(two_phases, tmp_path, **changes))
    assert "\n" not in str(error.value)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("module", ["jax2onnx", "onnxruntime", "flatbuffers", "safetensors"])
def test_a_missing_package_is_one_line_with_both_commands(
    module, two_phases, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    name = {"flatbuffers": "stablehlo", "safetensors": "safetensors"}.get(module, "onnx")
    with pytest.raises(UserError) as error:
        exported.export(options(two_phases, tmp_path, format=name))
    assert str(error.value) == (
        f"--format={name} needs {module}: pip install -r requirements/export.txt && pip install "
        "--no-deps -r requirements/export-no-deps.txt"
    )


@pytest.mark.slow
@pytest.mark.parametrize("headless", [False, True])
def test_an_imported_network_without_images(headless, tmp_path):
    """It is checked on noise, and cannot be calibrated on it."""
    original = references.randomise(
        torch_libraries.load("torchvision").models.resnet18(weights=None, num_classes=3)
    )
    import torch

    torch.save(original.state_dict(), tmp_path / "network.pth")
    directory = tmp_path / "imported"
    importing.run(
        importing.Options(
            file=tmp_path / "network.pth",
            model="resnet.resnet18_imagenet",
            workdir=directory,
            size=48,
            headless=headless,
        )
    )
    chosen = Options(
        workdir=directory,
        output=tmp_path / "file.onnx",
        features=("pooled",) if headless else (),
        timing=False,
    )
    record = exported.export(chosen)
    assert record["images"] == {"count": 256, "kind": "images of noise, as an import has no images"}
    assert record["rows"][1]["largest_difference"] < 1e-5
    assert record["rows"][0]["accuracy"] is None
    outputs = onnx_file.read(tmp_path / "file.onnx").run(np.zeros((2, 48, 48, 3), np.uint8))
    assert set(outputs) == ({"pooled"} if headless else set(serving.HEAD))
    with pytest.raises(UserError, match="--int8 needs images: name a labelled set"):
        exported.export(chosen._replace(int8=True))
