"""Every method fits the networks and layers that colour data sets bring, also with attributes."""

import numpy as np
import pytest
from PIL import Image

from kdjax.config import build
from tests.config.test_configs import NAMES, load

KINDS = ("folder", "attributes")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder of two classes, and one of two attributes, 12 images each."""
    folder, faces = (tmp_path_factory.mktemp(kind) for kind in KINDS)
    rng = np.random.default_rng(0)
    for index in range(12):
        image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        for place in (folder / "ab"[index % 2], faces):
            place.mkdir(exist_ok=True)
            image.save(place / f"{index:02}.png")
    lines = [f"{index:02}.png {1 - index % 2 * 2} {index % 3 // 2 * 2 - 1}" for index in range(12)]
    (faces / "list_attr_celeba.txt").write_text("\n".join(["12", "One Two", *lines]) + "\n")
    return {"folder": folder, "attributes": faces}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_every_method_builds(name, kind, images, tmp_path):
    config = load(name, kind)
    config.data.path = str(images[kind])
    config.data.data_dir = str(tmp_path)
    config.batch_size = 2
    plan = build.plan(config, 1)
    assert plan.data.image_shape == (32, 32, 3)
    assert bool(plan.data.attributes) == (kind == "attributes")
