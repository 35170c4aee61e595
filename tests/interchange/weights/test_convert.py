"""What is not the tensors of a network is refused in one line that names them."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from kdjax.interchange.weights.convert import convert, head_classes, models
from kdjax.models.networks import linen
from kdjax.system import discover
from kdjax.system.errors import UserError
from tests import torch_libraries
from tests.interchange.weights import references

MODEL = "resnet.resnet18_imagenet"


@functools.cache
def template(classes=1000):
    module = discover.model(MODEL)(classes=classes, dropout=0.0)
    network = linen.network(module, image_shape=(64, 64, 3), key_name=MODEL)
    return jax.eval_shape(network.init, jax.random.key(0))


@functools.cache
def original():
    reference = references.REFERENCES["torchvision resnet18"]
    return references.tensors(references.randomise(reference.make(0)))


@pytest.fixture
def file():
    return dict(original())


def read(file, classes=1000):
    return convert(file, template(classes), MODEL)


def message(file, classes=1000, model=MODEL):
    with pytest.raises(UserError) as error:
        convert(file, template(classes), model)
    text = str(error.value)
    assert "\n" not in text
    return text


def assert_equal(result, expected):
    jax.tree.map(np.testing.assert_array_equal, result, expected)


def test_the_counter_of_updates_is_ignored(file):
    counters = [name for name in file if name.endswith("num_batches_tracked")]
    assert counters
    state = read(file)
    for name in counters:
        del file[name]
    assert_equal(read(file), state)


@pytest.mark.parametrize("prefix", ["module.", "model.", "backbone.", "module.model."])
def test_a_prefix_of_every_name_is_ignored(file, prefix):
    assert_equal(read({prefix + name: tensor for name, tensor in file.items()}), read(file))


def test_a_prefix_of_the_trunk_alone_is_ignored(file):
    renamed = {
        name if name.startswith("fc.") else f"backbone.{name}": tensor
        for name, tensor in file.items()
    }
    assert_equal(read(renamed), read(file))


def test_two_networks_in_one_file(file):
    file["model.conv1.weight"] = file["conv1.weight"]
    text = message(file)
    assert "conv1.weight and model.conv1.weight are the same layer of two networks" in text


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_precisions_become_float32(file, dtype):
    state = read({name: tensor.astype(dtype) for name, tensor in file.items()})
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {jnp.dtype("float32")}
    rounded = {name: tensor.astype(dtype).astype(np.float32) for name, tensor in file.items()}
    assert_equal(state, read(rounded))


def test_any_strides_are_read(file):
    file["fc.weight"] = np.asfortranarray(file["fc.weight"])
    assert_equal(read(file), read(dict(original())))


def test_a_renamed_tensor_is_missing_and_unknown(file):
    file["layer1.0.convolution1.weight"] = file.pop("layer1.0.conv1.weight")
    assert message(file) == (
        f"the tensors are not those of {MODEL} in the names of torchvision and timm. "
        "missing: layer1.0.conv1.weight [64, 64, 3, 3]; "
        "unknown: layer1.0.convolution1.weight [64, 64, 3, 3]"
    )


def test_an_unknown_tensor_has_the_name_that_the_file_gives_it(file):
    file = {f"module.{name}": tensor for name, tensor in file.items()}
    file["module.extra.weight"] = np.zeros((2, 3), np.float32)
    assert message(file).endswith("unknown: module.extra.weight [2, 3]")


@pytest.mark.parametrize(
    ("name", "axes", "shapes"),
    [
        ("fc.weight", (1, 0), "is [512, 1000] and must be [1000, 512]"),
        ("conv1.weight", (2, 3, 1, 0), "is [7, 7, 3, 64] and must be [64, 3, 7, 7]"),
        (
            "layer2.0.downsample.0.weight",
            (1, 0, 2, 3),
            "is [64, 128, 1, 1] and must be [128, 64, 1, 1]",
        ),
    ],
)
def test_a_transposed_tensor_has_another_shape(file, name, axes, shapes):
    file[name] = file[name].transpose(axes)
    assert f"of another shape: {name} {shapes}" in message(file)


def test_a_long_list_is_cut(file):
    removed = [name for name in file if name.startswith("layer4.") and "num" not in name]
    for name in removed:
        del file[name]
    text = message(file)
    assert f" and {len(removed) - 6} more" in text
    assert text.count("layer4.") == 6


def test_timms_other_stem_is_refused_by_its_tensors():
    """`resnet18d` has a stem of three convolutions."""
    timm = torch_libraries.load("timm")
    text = message(references.tensors(timm.create_model("resnet18d")))
    assert "missing: conv1.weight [64, 3, 7, 7]" in text
    assert "unknown: conv1.0.weight [32, 3, 3, 3]" in text
    assert "layer2.0.downsample.1.weight is [128, 64, 1, 1] and must be [128]" in text


def test_numbers_that_are_no_floats_and_not_finite(file):
    file["bn1.weight"] = np.ones(64, np.int8)
    file["bn1.running_var"] = np.where(np.arange(64) == 3, np.inf, 1.0).astype(np.float16)
    text = message(file)
    assert "not of floating-point numbers: bn1.weight is int8" in text
    assert "with numbers that are not finite: bn1.running_var" in text


def test_another_networks_file():
    assert message({"features.0.weight": np.zeros((3, 3), np.float32)}) == (
        f"the tensors are not those of {MODEL} in the names of torchvision and timm or "
        "transformers or transformers, without a head: the file has features.0.weight"
    )
    assert "the file has none" in message({})


def test_a_model_without_names():
    text = message({}, model="mnist.student")
    assert "no names of other libraries' weights are known for mnist.student" in text
    assert MODEL in text
    assert "own_models.small" in message({}, model="tests.own_models.small")


def test_every_family_with_names_has_a_name_for_every_variable():
    """And no two variables share a name."""
    from kdjax.interchange.weights import names

    examples = (
        "cifar_resnet.resnet20",
        "efficientnet.lite0",
        "mobilenet.small",
        "resnet.resnet50_imagenet",
        "vit.vit_tiny",
    )
    assert set(models()) > {*examples}
    assert {model.partition(".")[0] for model in models()} == {
        model.partition(".")[0] for model in examples
    }
    for model in examples:
        family = discover.module(names.__name__, model.partition(".")[0], "names")
        module = discover.model(model)(classes=3, dropout=0.0)
        network = linen.network(module, image_shape=(32, 32, 3), key_name=model)
        state = jax.eval_shape(network.init, jax.random.key(0))
        paths = [tuple(key.key for key in keys[1:]) for keys, _ in jax.tree.leaves_with_path(state)]
        assert (family.HEAD, "kernel") in paths
        for dialect in family.DIALECTS.values():
            assert len({dialect(module, path) for path in paths}) == len(paths)


def test_a_head_is_left_out_where_none_is_asked_for(file, capsys):
    state = read(file, classes=0)
    assert "Dense_0" not in state.params
    said = capsys.readouterr().err
    assert f"{MODEL}: the file's head of 1000 classes is left out" in said
    assert "fc.weight and fc.bias" in said
    del file["fc.weight"], file["fc.bias"]
    assert_equal(read(file, classes=0), state)
    assert not capsys.readouterr().err


def test_a_head_that_does_not_fit_says_what_the_file_has(file):
    text = message(file, classes=10)
    assert "fc.weight is [1000, 512] and must be [10, 512]" in text
    assert text.endswith("; the file's head has 1000 classes")
    del file["fc.weight"], file["fc.bias"]
    assert message(file).endswith("; the file has no head, so ask for 0 classes")


def test_the_number_of_classes_of_a_file(file):
    assert head_classes({f"module.{name}": tensor for name, tensor in file.items()}, MODEL) == 1000
    del file["fc.weight"]
    assert head_classes(file, MODEL) == 0
    huggingface = {"classifier.1.weight": np.zeros((5, 512), np.float32)}
    assert head_classes(huggingface, MODEL) == 5
