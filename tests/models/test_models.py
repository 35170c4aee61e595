"""Exact parameter counts, features, dropout, and pooling against Flax's."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kdjax.models import mobilenet
from kdjax.models.layers import modules, pooling
from kdjax.models.networks import linen
from kdjax.step import optimisers
from kdjax.system import discover
from kdjax.system.errors import UserError
from tests.helpers import SGD, assert_same_structure

COUNTS = [
    # name, image, classes, trainable, with statistics
    ("mnist.teacher", (28, 28, 1), 10, 1_422_378, 1_422_378),
    ("mnist.student", (28, 28, 1), 10, 693_962, 693_962),
    ("six_conv.student", (32, 32, 3), 10, 815_530, 816_938),
    ("six_conv.teacher", (32, 32, 3), 10, 3_251_018, 3_253_834),
    ("resnet.resnet18_cifar", (32, 32, 3), 10, 11_173_962, 11_183_562),
    ("resnet.resnet10_slim", (96, 96, 3), 21, 697_485, 699_645),
    ("resnet.resnet18_imagenet", (224, 224, 3), 10, 11_181_642, 11_191_242),
    ("resnet.resnet34_imagenet", (224, 224, 3), 1000, 21_797_672, 21_814_696),
    ("resnet.resnet50_imagenet", (224, 224, 3), 1000, 25_557_032, 25_610_152),
    ("resnet.resnet34_cifar", (32, 32, 3), 100, 21_328_292, None),
    ("resnet.resnet50_cifar", (32, 32, 3), 100, 23_705_252, None),
    ("cifar_resnet.resnet8", (32, 32, 3), 10, 78_042, None),
    ("cifar_resnet.resnet14", (32, 32, 3), 10, 175_258, None),
    ("cifar_resnet.resnet20", (32, 32, 3), 100, 278_324, None),
    ("cifar_resnet.resnet32", (32, 32, 3), 100, 472_756, None),
    ("cifar_resnet.resnet44", (32, 32, 3), 100, 667_188, None),
    ("cifar_resnet.resnet56", (32, 32, 3), 100, 861_620, None),
    ("cifar_resnet.resnet110", (32, 32, 3), 100, 1_736_564, None),
    ("mobilenet.mobilenet_v2", (224, 224, 3), 1000, 3_504_872, 3_538_984),
    ("mobilenet.small", (128, 128, 3), 21, 714_581, 733_125),
    ("efficientnet.lite0", (224, 224, 3), 1000, 4_652_008, 4_694_024),
    ("efficientnet.lite0_symmetric", (224, 224, 3), 1000, 4_652_008, 4_694_024),
    ("vit.vit_tiny", (224, 224, 3), 1000, 5_717_416, 5_717_416),
    ("vit.vit_small", (224, 224, 3), 1000, 22_050_664, 22_050_664),
    ("plain.plain2", (32, 32, 3), 10, 13_050, None),
    ("plain.plain4", (32, 32, 3), 10, 37_242, None),
    ("plain.plain6", (32, 32, 3), 10, 82_554, None),
    ("plain.plain8", (32, 32, 3), 10, 327_482, None),
    ("plain.plain10", (32, 32, 3), 10, 2_486_378, None),
]


def build(name, shape=(32, 32, 3), classes=10, dropout=0.0):
    module = discover.model(name)(classes=classes, dropout=dropout)
    return linen.network(module, image_shape=shape, key_name=name)


@pytest.mark.parametrize(("name", "shape", "classes", "trainable", "total"), COUNTS)
def test_counts_and_outputs(name, shape, classes, trainable, total):
    network = build(name, shape, classes)
    state = jax.eval_shape(network.init, jax.random.key(0))
    assert linen.count(state.params) == trainable
    if total is not None:
        assert linen.count(state) == total
    image = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
    outputs, stats = jax.eval_shape(
        lambda s, x: network.apply(s, x, train=True, key=jax.random.key(0)), state, image
    )
    assert outputs.logits.shape == (2, classes)
    assert {"stem", "pooled"} <= set(outputs.features)
    assert_same_structure(stats, state.batch_stats)
    # Blocks of the newer families end without an activation.
    linear = name.startswith(("mobilenet", "efficientnet", "vit"))
    if "mnist" not in name:
        for place in ("first", "last"):
            assert f"stage1_{place}" in outputs.features
            assert (f"stage1_{place}_pre" in outputs.features) != linear


ONE_OF_EACH_FAMILY = {row[0].partition(".")[0]: row[0] for row in reversed(COUNTS)}.values()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param(*row[:2], marks=[] if row[0] in ONE_OF_EACH_FAMILY else pytest.mark.slow)
        for row in COUNTS
    ],
)
def test_without_a_head_logits_are_empty_and_features_the_same(name, shape):
    """`classes=0`; the trunk has the variables that it has with a head."""
    shapes = {}
    for classes in (0, 7):
        network = build(name, shape, classes)
        state = jax.eval_shape(network.init, jax.random.key(0))
        image = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
        outputs, _ = jax.eval_shape(functools.partial(network.apply, train=False), state, image)
        assert outputs.logits.shape == (2, classes)
        shapes[classes] = state, outputs.features
    (trunk, features), (state, same_features) = shapes[0], shapes[7]
    assert features == same_features
    assert trunk.batch_stats == state.batch_stats
    head = set(state.params) - set(trunk.params)
    assert len(head) == 1
    assert {layer: state.params[layer] for layer in trunk.params} == trunk.params
    width = features["pooled"].shape[-1]
    assert linen.count(state.params[head.pop()]) == 7 * (width + 1)


def test_classes_change_nothing_in_the_trunk():
    image = jax.random.normal(jax.random.key(1), (2, 8, 8, 1))
    pooled = []
    for classes in (0, 5):
        network = build("plain.plain2", (8, 8, 1), classes)
        state = network.init(jax.random.key(0))
        pooled.append(network.apply(state, image, train=False)[0].features["pooled"])
    np.testing.assert_array_equal(*pooled)


@pytest.mark.parametrize(
    ("width", "channels"),
    # torchvision's `_make_divisible` of 16 and 24; 0.75 * 16 = 12 is rounded to even multiples up.
    [(0.5, (8, 16)), (0.75, (16, 24)), (1.0, (16, 24)), (1.4, (24, 32))],
)
def test_widths_of_a_mobilenet_are_multiples_of_8(width, channels):
    module = mobilenet.mobilenet_v2(10, width=width)
    assert tuple(stage.width for stage in module.stages[:2]) == channels
    assert module.final == max(1280, int(1280 * width))


def test_a_vision_transformer_says_which_images_it_reads():
    network = build("vit.vit_tiny", (33, 48, 3))
    with pytest.raises(UserError, match="33x48: set a size that is a multiple of 16"):
        jax.eval_shape(network.init, jax.random.key(0))


def test_maps_of_a_vision_transformer_are_its_patches_in_order():
    """A change of one patch changes the first map there alone."""
    network = build("vit.vit_tiny", (32, 48, 3))
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    state = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)
    image = jax.random.normal(jax.random.key(1), (1, 32, 48, 3))
    changed = image.at[:, 16:, 32:].add(1.0)
    stem = jax.jit(lambda image: network.apply(state, image, train=False)[0].features["stem"])
    maps = [stem(image), stem(changed)]
    assert maps[0].shape == (1, 2, 3, 192)
    differs = np.any(np.asarray(maps[0] != maps[1]), axis=(0, 3))
    np.testing.assert_array_equal(differs, [[False, False, False], [False, False, True]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet.small", "efficientnet.lite0", "vit.vit_tiny"])
def test_recomputed_activations_give_the_same_gradient(name):
    module = discover.model(name)(classes=5, dropout=0.0)
    gradients = []
    for remat in (False, True):
        network = linen.network(module, image_shape=(32, 32, 3), key_name=name, remat=remat)
        state = jax.jit(network.init)(jax.random.key(0))
        image = jax.random.normal(jax.random.key(1), (4, 32, 32, 3))

        @jax.jit
        def gradient(params, network=network, state=state, image=image):
            def loss(params):
                outputs, _ = network.apply(state._replace(params=params), image, train=True)
                return jnp.sum(jnp.sin(outputs.logits))

            return jax.grad(loss)(params)

        gradients.append(gradient(state.params))
    assert_same_structure(*gradients)
    for a, b in zip(*map(jax.tree.leaves, gradients), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-4 * max(1e-3, float(jnp.abs(a).max())))


def test_every_model_of_every_family_is_counted():
    families = discover.names("kdjax.models")
    assert set(families) == {row[0].partition(".")[0] for row in COUNTS}
    with pytest.raises(Exception, match="unknown model") as error:
        discover.model("plain.nothing")
    known = str(error.value).split("There are: ")[1].split(", ")
    assert set(known) == {row[0] for row in COUNTS}


def test_stages_of_a_resnet_halve_the_map():
    network = build("resnet.resnet18_cifar")
    state = jax.eval_shape(network.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    features = jax.eval_shape(lambda s, x: network.apply(s, x, train=False)[0], state, image)[1]
    for stage, (size, width) in enumerate([(32, 64), (16, 128), (8, 256), (4, 512)], start=1):
        assert features[f"stage{stage}_last"].shape == (2, size, size, width)


def test_dropout_is_drawn_in_training_only():
    network = build("plain.plain2", (8, 8, 1), 4, dropout=0.5)
    state = network.init(jax.random.key(0))
    image = jax.random.normal(jax.random.key(1), (4, 8, 8, 1))

    def logits(train, key):
        return network.apply(state, image, train=train, key=jax.random.key(key))[0].logits

    np.testing.assert_array_equal(logits(False, 1), logits(False, 2))
    np.testing.assert_array_equal(logits(True, 1), logits(True, 1))
    assert not np.array_equal(logits(True, 1), logits(True, 2))


def test_batch_norm_momentum_is_a_tenth_of_the_new_statistics():
    network = build("plain.plain2", (8, 8, 1), 4)
    state = network.init(jax.random.key(0))
    image = 2.0 + jax.random.normal(jax.random.key(1), (64, 8, 8, 1))
    _, stats = network.apply(state, image, train=True, key=jax.random.key(0))
    kernel = state.params["Conv_0"]["kernel"]
    maps = jax.lax.conv_general_dilated(
        image, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    np.testing.assert_allclose(
        stats["BatchNorm_0"]["mean"], 0.1 * maps.mean((0, 1, 2)), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        stats["BatchNorm_0"]["var"], 0.9 + 0.1 * maps.var((0, 1, 2)), rtol=1e-4
    )


@pytest.mark.parametrize("size", [6, 7])
def test_max_pool_is_flaxs_with_its_gradient(size):
    x = jax.random.normal(jax.random.key(0), (2, size, size, 3))

    def reference(x):
        return nn.max_pool(x, (2, 2), (2, 2))

    np.testing.assert_array_equal(pooling.max_pool(x), reference(x))
    ours, expected = (
        jax.grad(lambda x, f=f: jnp.sum(jnp.sin(f(x))))(x) for f in (pooling.max_pool, reference)
    )
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(("mean", "bound"), [(10.0, 1e-5), (100.0, 1e-5), (1000.0, 1e-4)])
def test_batch_norm_keeps_its_digits_at_large_means(mean, bound):
    """Flax's one pass, `E[x^2] - E[x]^2`, is off by 3e-3 at mean 100 and by 0.4 at mean 1000."""
    x = mean + np.random.default_rng(0).normal(size=(32, 9, 9, 4)).astype(np.float32)
    layer = modules.batch_norm(True)
    variables = layer.init(jax.random.key(0), x)
    _, updated = layer.apply(variables, x, mutable=["batch_stats"])
    variance = (updated["batch_stats"]["var"] - 0.9) / 0.1
    # The running variance itself adds rounding of 0.9.
    np.testing.assert_allclose(variance, x.astype(np.float64).var((0, 1, 2)), rtol=bound + 2e-6)


@pytest.mark.parametrize("decay_all", [False, True])
def test_biases_ahead_of_batch_norm_stay_zero(decay_all):
    """Their true gradient is 0; AdamW would turn the rounding noise in it into whole steps."""
    network = build("six_conv.student", (16, 16, 3))
    state = network.init(jax.random.key(0))
    optimiser = optimisers.make(
        **(SGD | dict(text="adamw", weight_decay=0.1, decay_all=decay_all)),
    )
    image = jax.random.normal(jax.random.key(1), (8, 16, 16, 3))

    def loss(params):
        outputs, _ = network.apply(state._replace(params=params), image, train=True)
        return jnp.sum(outputs.logits**2)

    @jax.jit
    def update(params, opt):
        direction, opt = optimiser.update(jax.grad(loss)(params), opt, params)
        return jax.tree.map(lambda p, d: p - 1e-2 * d, params, direction), opt

    with jax.numpy_dtype_promotion("standard"):
        params, _ = update(state.params, optimiser.init(state.params))
    ahead = [*(f"Conv_{index}" for index in range(6)), "Dense_0"]
    assert not any(jnp.any(params[layer]["bias"]) for layer in ahead)
    moved = [params[layer]["kernel"] != state.params[layer]["kernel"] for layer in ahead]
    assert all(jnp.any(m) for m in moved)
    assert jnp.any(params["Dense_1"]["bias"])


def test_other_convolutions_ahead_of_batch_norm_have_no_bias():
    for name in sorted({row[0] for row in COUNTS}):
        if name.startswith(("mnist", "six_conv")):
            continue
        if name.startswith("vit"):
            continue  # It has no BatchNorm.
        network = build(name)
        params = jax.eval_shape(network.init, jax.random.key(0)).params
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(params)]
        assert not [path for path in paths if "conv" in path.lower() and "bias" in path]
