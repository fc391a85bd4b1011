import cv2
import numpy as np
import pytest
from PIL import Image

from cfx_jax.data.sets.stored.pictures import plain_png, png, read_picture
from cfx_jax.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


def test_colours_are_in_the_unit_range_and_in_order(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png", channels=3, page="")
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, np.float32(PIXELS) / np.float32(255))


def test_grey_picture_is_averaged_over_areas_when_it_shrinks(tmp_path):
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / "a.png")
    read = read_picture(tmp_path / "a.png", channels=1, size=(3, 2), page="")
    np.testing.assert_allclose(
        read, PIXELS[..., :1].reshape(3, 2, 2, 4, 1).mean((1, 3)) / 255, atol=1 / 255
    )


def test_file_that_cannot_be_used_is_named_with_the_page(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(
        InputError,
        match=r"/a.jpg' cannot be used \(cannot be decoded\): download it again from http://x",
    ):
        read_picture(tmp_path / "a.jpg", channels=3, page="http://x")
    with pytest.raises(
        InputError,
        match=r"/b.jpg' cannot be used \(.*No such file.*\): download it again from http://x",
    ):
        read_picture(tmp_path / "b.jpg", channels=3, page="http://x")


def decoded(stream):
    return cv2.imdecode(np.frombuffer(stream.read(), np.uint8), cv2.IMREAD_UNCHANGED)


def test_images_are_rounded_to_8_bits_and_masks_are_0_and_255():
    rng = np.random.default_rng(0)
    image, mask = rng.random((5, 6), np.float32), rng.random((5, 6)) > 0.5
    np.testing.assert_array_equal(decoded(png(image)), np.floor(image * 255 + 0.5))
    np.testing.assert_array_equal(decoded(png(mask)), np.where(mask, 255, 0))


def test_colours_and_whole_numbers_are_written_as_they_are():
    np.testing.assert_array_equal(decoded(png(PIXELS / np.float32(255)))[..., ::-1], PIXELS)
    np.testing.assert_array_equal(decoded(plain_png(PIXELS[..., 0])), PIXELS[..., 0])
