"""Decoding and resizing, against Pillow on whole images."""

import io

import numpy as np
import pytest
from PIL import Image

from kdjax.data.files import images
from kdjax.data.files.images import decode
from kdjax.data.sources import digits
from kdjax.data.types import Request
from kdjax.system.errors import UserError


def encoded(array, kind):
    stream = io.BytesIO()
    Image.fromarray(array.squeeze()).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_decoding_keeps_lossless_values(kind):
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    np.testing.assert_array_equal(decode(encoded(image, kind), Request("", "", 8, 3, False)), image)
    assert decode(encoded(image, kind), Request("", "", 4, 1, False)).shape == (4, 4, 1)


def test_a_large_jpeg_is_what_pillow_makes_of_it():
    image = np.random.default_rng(0).integers(0, 256, (200, 160, 3), np.uint8)
    content = encoded(image, "JPEG")
    whole = Image.open(io.BytesIO(content))
    np.testing.assert_array_equal(
        decode(content, Request("", "", 20, 3, False)),
        np.asarray(whole.resize((20, 20), Image.Resampling.BILINEAR)),
    )
    middle = whole.crop((0, 20, 160, 180)).resize((20, 20), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(decode(content, Request("", "", 20, 3, True)), np.asarray(middle))


def test_the_centre_is_square_and_in_the_middle():
    image = np.arange(5 * 8, dtype=np.uint8).reshape(5, 8)
    wide, high = (decode(pixels, Request("", "", 5, 1, True)) for pixels in (image, image.T))
    np.testing.assert_array_equal(wide[..., 0], image[:, 1:6])
    np.testing.assert_array_equal(high[..., 0], image.T[1:6])


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a note", "is not an image"), (b"", "is not an image")],
)
def test_what_is_no_image_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        decode(content, Request("", "", 8, 3, False))


def test_a_truncated_jpeg_is_refused():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = encoded(image, "JPEG")
    with pytest.raises(ValueError, match="cannot be decoded"):
        decode(content[: len(content) // 2], Request("", "", 32, 3, False))


def test_resizing_keeps_the_colour_of_a_plain_image():
    image = np.zeros((10, 14, 3), np.uint8) + np.array([10, 100, 200], np.uint8)
    resized = decode(encoded(image, "PNG"), Request("", "", 5, 3, False))
    np.testing.assert_array_equal(resized, image[:5, :5])


def test_sixteen_bits_are_scaled_and_unknown_ranges_refused():
    ramp = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(ramp).save(stream, "PNG")
    decoded = decode(stream.getvalue(), Request("", "", 8, 1, False))[..., 0]
    np.testing.assert_allclose(decoded, ramp / 257, atol=1)
    stream = io.BytesIO()
    Image.fromarray(np.ones((8, 8), np.float32)).save(stream, "TIFF")
    with pytest.raises(ValueError, match="32-bit values"):
        decode(stream.getvalue(), Request("", "", 8, 3, False))


def test_a_photograph_is_turned_as_it_says():
    image = np.zeros((8, 16, 3), np.uint8)
    image[:, 8:] = 255
    stream = io.BytesIO()
    turned = Image.Exif()
    turned[0x0112] = 6  # To be shown a quarter turn clockwise.
    Image.fromarray(image).save(stream, "PNG", exif=turned)
    decoded = decode(stream.getvalue(), Request("", "", 8, 3, True))
    np.testing.assert_array_equal(decoded, np.rot90(image, -1)[4:12])


def test_digits_are_the_real_ones():
    part = digits.read(Request("", "", 16, 1, False)).splits["train"]
    image = part.image.read()
    assert image.shape == (1797, 16, 16, 1)
    assert image.dtype == np.uint8
    assert image.max() == 255
    np.testing.assert_array_equal(
        np.bincount(part.label), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    )
    colour = digits.read(Request("", "", 16, 3, False)).splits["train"].image
    np.testing.assert_array_equal(colour.read(), np.repeat(image, 3, axis=-1))


def test_decoded_images_that_do_not_fit_are_refused_with_their_size():
    """Before any of them is decoded."""
    request = Request("", "", 100_000, 1, False)
    with pytest.raises(UserError) as error:
        digits.read(request)
    message = "config.data.size is 100000: 1,797 images of 100000 x 100000 x 1 take 17,970.0 GB"
    assert str(error.value).startswith(message)
    assert "this machine has" in str(error.value)
    images.require_room((10, 8, 8, 3), 10 * 8 * 8 * 3, "the disk")
    with pytest.raises(UserError, match="take 0.0 GB decoded, and the disk has 0.0 GB"):
        images.require_room((10, 8, 8, 3), 10 * 8 * 8 * 3 - 1, "the disk")
