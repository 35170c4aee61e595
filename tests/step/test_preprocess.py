"""Images as each network reads them, compared with Pillow, JAX and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from kdjax.step import predict, preprocess, step
from kdjax.step.types import Preprocessing
from tests import helpers

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("height", "width", "size"), [(31, 40, 16), (8, 8, 20), (16, 16, 16)])
def test_resizing_is_that_of_pillow(interpolation, height, width, size):
    image = np.random.default_rng(0).random((2, height, width, 3)).astype(np.float32)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    result = preprocess.preprocess(jnp.array(image), Preprocessing(size, mean, std, interpolation))
    for index in range(2):
        for channel in range(3):
            whole = Image.fromarray(image[index, :, :, channel])
            resized = np.asarray(whole.resize((size, size), PILLOW[interpolation]))
            expected = (np.clip(resized, 0, 1) - mean[channel]) / std[channel]
            # Pillow's cubic filter has a = -0.5, as JAX's.
            np.testing.assert_allclose(result[index, :, :, channel], expected, atol=1e-5)


def test_grey_images_become_three_equal_channels():
    image = jnp.linspace(0, 1, 16).reshape(1, 4, 4, 1)
    own = Preprocessing(4, (0.0, 0.0, 0.0), (1.0, 2.0, 4.0), "bilinear")
    result = preprocess.preprocess(image, own)
    for channel, factor in enumerate((1.0, 0.5, 0.25)):
        np.testing.assert_allclose(result[..., channel], factor * image[..., 0], rtol=1e-6)


def test_teacher_and_student_see_one_view_each_in_its_own_way():
    """Augmentation comes first, so a larger teacher sees the very shift that the student sees."""
    teacher = helpers.network("teacher")._replace(
        preprocessing=Preprocessing(8, (0.2,), (0.5,), "bilinear")
    )
    stage, weights = helpers.mutual({"a": helpers.network("a"), "b": helpers.network("b")}, pad=2)
    code = stage._replace(networks={**stage.networks, "teacher": teacher}, trained=("a", "b"))
    state = teacher.init(jax.random.key(0))
    batch = helpers.batch()
    values = helpers.hyper(weights)
    observed = step.observe(code, {"teacher": state}, batch, jnp.int32(3), values.data_seed)
    # The run's own normalisation, undone.
    view = np.asarray(observed.batch.image) * 0.25 + 0.5
    expected = teacher.apply(state, jnp.array((view - 0.2) / 0.5), train=False)[0].logits
    np.testing.assert_allclose(observed.outputs["teacher"].logits, expected, atol=1e-5)
    alone = step.observe(
        code._replace(networks={"teacher": teacher, "a": teacher}, trained=()),
        {"teacher": state, "a": state},
        batch,
        jnp.int32(3),
        values.data_seed,
    )
    np.testing.assert_array_equal(alone.outputs["a"].logits, alone.outputs["teacher"].logits)


def test_where_all_read_the_runs_images_there_is_no_second_copy():
    stage, weights = helpers.mutual({"a": helpers.network("a"), "b": helpers.network("b")})
    observed = step.observe(
        stage, {}, helpers.batch(), jnp.int32(0), helpers.hyper(weights).data_seed
    )
    assert observed.batch.view is None


def test_predictions_are_of_preprocessed_images():
    network = helpers.network("a")
    own = network._replace(preprocessing=Preprocessing(8, (0.2,), (0.5,), "bilinear"))
    stage, _ = helpers.mutual({"a": own, "b": network})
    state = network.init(jax.random.key(0))
    batch = helpers.batch()

    def fetch(*source):
        return source[0]

    outputs = predict.make_predict_step(stage, fetch, "stem")({"a": state, "b": state}, batch)
    image = np.asarray(batch.image) / 255.0
    for name, mean, std in (("a", 0.2, 0.5), ("b", 0.5, 0.25)):
        normalised = jnp.array((image - mean) / std, jnp.float32)
        expected = network.apply(state, normalised, train=False)[0]
        np.testing.assert_allclose(outputs[name].logits, expected.logits, atol=1e-5)


@pytest.mark.parametrize(("name", "method"), [("bilinear", "linear"), ("bicubic", "cubic")])
@pytest.mark.parametrize("size", [5, 12, 19, 40])
def test_resizing_is_jaxs(size, name, method):
    image = jnp.asarray(np.random.default_rng(0).random((2, 19, 12, 3)), jnp.float32)
    resized = preprocess.preprocess(image, Preprocessing(size, (0.0,) * 3, (1.0,) * 3, name))
    expected = jnp.clip(jax.image.resize(image, (2, size, size, 3), method), 0.0, 1.0)
    np.testing.assert_allclose(resized, expected, atol=5e-6)
