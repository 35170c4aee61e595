"""Networks to export, with random variables, and comparisons of files with them."""

import jax
import jax.numpy as jnp
import numpy as np

from kdjax.interchange import serving
from kdjax.models.networks import linen
from kdjax.step.types import LoadedNetwork, Preprocessing
from kdjax.system import discover

CLASSES = ("cat", "dog", "naïve")


def random_variables(state, seed=0):
    """Variables as training could leave them: statistics and biases are neither 0 nor 1."""
    rng = np.random.default_rng(seed)

    def moved(path, leaf):
        key = jax.tree_util.keystr(path[-1:], simple=True)
        if key == "var":
            return jnp.asarray(rng.uniform(0.5, 2.0, leaf.shape), jnp.float32)
        if key in ("mean", "bias", "scale"):
            return leaf + jnp.asarray(rng.normal(0.0, 0.2, leaf.shape), jnp.float32)
        return leaf

    return jax.tree_util.tree_map_with_path(moved, state)


def load(
    model, image_shape=(16, 16, 3), *, size=0, interpolation="bilinear", multi_label=False, **more
):
    """A network, as `load_network` returns it from a workdir.

    Args:
        model: its name in the zoo, or a function that makes a module.
        image_shape: of the uint8 images.
        size: the network's own, where it is another.
        interpolation: for images of another size.
        multi_label: attributes in place of classes.
        more: fields of the result.
    """
    channels = image_shape[-1]
    size = size or image_shape[0]
    make = discover.model(model) if isinstance(model, str) else model
    network = linen.network(
        make(classes=len(CLASSES), dropout=0.1),
        image_shape=(size, size, channels),
        key_name="student",
    )
    with jax.numpy_dtype_promotion("standard"):
        state = random_variables(jax.jit(network.init)(jax.random.key(0)))
    mean, std = (0.4, 0.5, 0.3)[:channels], (0.2, 0.25, 0.3)[:channels]
    loaded = LoadedNetwork(
        name="student",
        network=network,
        state=state,
        preprocessing=Preprocessing(size, mean, std, interpolation),
        image_shape=image_shape,
        crop=False,
        class_names=CLASSES,
        multi_label=multi_label,
        origin={"workdir": "runs/one", "model": str(model), "precision": "float32"},
    )
    return loaded._replace(**more)


def images(loaded, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *loaded.image_shape), dtype=np.uint8)


def assert_same_outputs(file, loaded, features=(), *, batches=(1, 3, 7), bound=1e-4):
    """Every output of a file is the network's, in batches of several sizes."""
    reference = serving.compiled(loaded, features)
    for count in batches:
        image = images(loaded, count, seed=count)
        expected, outputs = jax.device_get(reference(image)), file.run(image)
        assert set(outputs) == set(expected)
        for name, value in expected.items():
            assert outputs[name].shape == value.shape, name
            difference = np.abs(outputs[name] - value).max() / np.abs(value).max()
            assert difference < bound, name
