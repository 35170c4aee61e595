"""Networks with other libraries' weights compute what these libraries compute."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.interchange.weights.convert import convert
from kdjax.models.networks import linen
from kdjax.system import discover
from tests.interchange.weights import references
from tests.interchange.weights.references import REFERENCES

SIZES = {"photo": (224, 224), "odd": (97, 131), "small": (33, 33)}
FAST = [
    ("torchvision resnet18", (33, 33)),
    ("torchvision resnet18", (97, 131)),
    ("transformers resnet18", (33, 33)),
    ("torchvision mobilenet_v2", (33, 33)),
    # At odd sizes the padding of TensorFlow is that of PyTorch.
    ("timm tf_efficientnet_lite0", (40, 48)),
    ("timm vit_tiny", (32, 32)),
]
ALL = [
    (name, size)
    for name, reference in REFERENCES.items()
    for size in ([(224, 224)] if reference.tokens else SIZES.values())
]
CASES = [
    *FAST,
    *(pytest.param(*case, marks=pytest.mark.slow) for case in ALL if case not in FAST),
]


@functools.cache
def network(model, size, classes=1000):
    module = discover.model(model)(classes=classes, dropout=0.0)
    return linen.network(module, image_shape=(*size, 3), key_name=model)


def template(model, size=(64, 64), classes=1000):
    return jax.eval_shape(network(model, size, classes).init, jax.random.key(0))


@functools.cache
def predict(model, size):
    return jax.jit(functools.partial(network(model, size).apply, train=False))


def assert_close(result, expected, what):
    assert result.shape == expected.shape, what
    error = np.abs(np.asarray(result) - expected).max() / np.abs(expected).max()
    assert error < 1e-4, what


@pytest.mark.parametrize(("name", "size"), CASES)
def test_logits_and_every_stage_are_those_of_the_library(name, size):
    reference = REFERENCES[name]
    original = references.randomise(reference.make(size[0]))
    image = np.random.default_rng(1).normal(size=(2, *size, 3)).astype(np.float32)
    logits, features = references.outputs(reference, original, image)
    state = convert(references.tensors(original), template(reference.model, size), reference.model)
    result, _ = predict(reference.model, size)(state, jnp.asarray(image))
    assert_close(result.logits, logits, "logits")
    # ResNets have 4 stages and the others 7; vision transformers 4.
    assert len(features) >= 9
    for feature, expected in features.items():
        assert_close(result.features[feature], expected, feature)


def renamed(original, names):
    """The tensors under other names in the same order, without the counters of BatchNorm."""
    tensors = {
        name: tensor
        for name, tensor in references.tensors(original).items()
        if not name.endswith("num_batches_tracked")
    }
    return dict(zip(names, tensors.values(), strict=True))


NORM = ("weight", "bias", "running_mean", "running_var")


def names_of_efficientnet_pytorch():
    def layer(conv, norm):
        return [f"{conv}.weight", *(f"{norm}.{leaf}" for leaf in NORM)]

    names = layer("_conv_stem", "_bn0")
    for block in range(16):
        if block:
            names += layer(f"_blocks.{block}._expand_conv", f"_blocks.{block}._bn0")
        names += layer(f"_blocks.{block}._depthwise_conv", f"_blocks.{block}._bn1")
        names += layer(f"_blocks.{block}._project_conv", f"_blocks.{block}._bn2")
    return [*names, *layer("_conv_head", "_bn1"), "_fc.weight", "_fc.bias"]


def names_of_the_original_mobilenet():
    def layer(sequence, index):
        return [f"{sequence}.{index}.weight", *(f"{sequence}.{index + 1}.{leaf}" for leaf in NORM)]

    names = layer("features.0", 0)
    for block in range(1, 18):
        for index in (0, 3) if block == 1 else (0, 3, 6):
            names += layer(f"features.{block}.conv", index)
    return [*names, *layer("features.18", 0), "classifier.1.weight", "classifier.1.bias"]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("timm tf_efficientnet_lite0", names_of_efficientnet_pytorch),
        ("torchvision mobilenet_v2", names_of_the_original_mobilenet),
    ],
)
def test_names_of_files_that_no_library_here_writes(name, names):
    """Their tensors are in the same order."""
    reference = REFERENCES[name]
    original = references.randomise(reference.make(0))
    shapes = template(reference.model)
    expected = convert(references.tensors(original), shapes, reference.model)
    result = convert(renamed(original, names()), shapes, reference.model)
    jax.tree.map(np.testing.assert_array_equal, result, expected)


@pytest.mark.parametrize("model", ["resnet.resnet50_cifar", "cifar_resnet.resnet20"])
def test_networks_for_small_images_have_torchvisions_names(model):
    """As other PyTorch code that has torchvision's names and another first layer."""
    shapes = template(model, (32, 32), 10)
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)
    stages = 4 if model.startswith("resnet.") else 3
    first = state.params["Conv_0"]["kernel"].transpose(3, 2, 0, 1)
    file = {"conv1.weight": first}
    for name, place in (("weight", "scale"), ("bias", "bias")):
        file[f"bn1.{name}"] = state.params["BatchNorm_0"][place]
    for name, place in (("running_mean", "mean"), ("running_var", "var")):
        file[f"bn1.{name}"] = state.batch_stats["BatchNorm_0"][place]
    blocks = [3, 4, 6, 3] if stages == 4 else [3, 3, 3]
    number = 0
    for stage, count in enumerate(blocks, start=1):
        for index in range(count):
            params, stats = (tree[f"Block_{number}"] for tree in (state.params, state.batch_stats))
            convolutions = 3 if stages == 4 else 2
            layers = [
                (f"Conv_{i}", f"BatchNorm_{i}", f"conv{i + 1}", f"bn{i + 1}")
                for i in range(convolutions)
            ]
            if "shortcut" in params:
                layers += [("shortcut", "shortcut_norm", "downsample.0", "downsample.1")]
            for conv, norm, conv_name, norm_name in layers:
                start = f"layer{stage}.{index}."
                file[f"{start}{conv_name}.weight"] = params[conv]["kernel"].transpose(3, 2, 0, 1)
                file[f"{start}{norm_name}.weight"] = params[norm]["scale"]
                file[f"{start}{norm_name}.bias"] = params[norm]["bias"]
                file[f"{start}{norm_name}.running_mean"] = stats[norm]["mean"]
                file[f"{start}{norm_name}.running_var"] = stats[norm]["var"]
            number += 1
    file["fc.weight"] = state.params["Dense_0"]["kernel"].T
    file["fc.bias"] = state.params["Dense_0"]["bias"]
    jax.tree.map(np.testing.assert_array_equal, convert(file, shapes, model), state)
