import io

import numpy as np
import pytest
from PIL import Image

from cfx_jax.data.sources.decoding import DamagedImage, decode_image, unit_range

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (8, 9, 3), np.uint8)
GREY = RNG.integers(0, 256, (8, 9), np.uint8)
GREY_16 = RNG.integers(0, 65536, (8, 9), np.uint16)
LUMA = np.array([0.299, 0.587, 0.114])


def encoded(pixels, kind="PNG", **options):
    stream = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_colour_comes_back_exactly_as_red_green_blue(kind):
    np.testing.assert_array_equal(decode_image(encoded(COLOUR, kind), channels=3), COLOUR)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("pixels", [GREY, GREY_16], ids=["8 bit", "16 bit"])
def test_grey_comes_back_exactly_in_either_form(kind, pixels):
    data = encoded(pixels, kind)
    np.testing.assert_array_equal(decode_image(data, channels=1), pixels[..., None])
    np.testing.assert_array_equal(decode_image(data, channels=3), np.stack([pixels] * 3, -1))


def test_compressed_tiff():
    data = encoded(GREY_16, "TIFF", compression="tiff_lzw")
    np.testing.assert_array_equal(decode_image(data, channels=1)[..., 0], GREY_16)


def test_jpeg_is_near_what_pillow_decodes():
    smooth = np.linspace(0, 255, 32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8)
    data = encoded(smooth, "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    assert np.abs(decode_image(data, channels=3).astype(int) - expected).max() <= 2


def test_colour_to_grey_weighs_the_channels_as_luma():
    grey = decode_image(encoded(COLOUR), channels=1)[..., 0]
    assert np.abs(grey - COLOUR @ LUMA).max() <= 1


def test_transparency_is_dropped():
    data = encoded(np.concatenate([COLOUR, RNG.integers(0, 256, (8, 9, 1), np.uint8)], -1))
    np.testing.assert_array_equal(decode_image(data, channels=3), COLOUR)


def test_transparent_tiff_is_laid_on_black():
    alpha = RNG.integers(0, 256, (8, 9, 1), np.uint8)
    decoded = decode_image(encoded(np.concatenate([COLOUR, alpha], -1), "TIFF"), channels=3)
    assert np.abs(decoded - COLOUR * (alpha / 255)).max() <= 1


def test_grey_with_transparency():
    data = encoded(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())]))
    np.testing.assert_array_equal(decode_image(data, channels=1)[..., 0], GREY)


def test_palette_is_resolved():
    image = Image.fromarray(COLOUR).quantize(16)
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(decode_image(encoded(image), channels=3), expected)


def test_one_bit_images_become_black_and_white():
    bits = GREY > 100
    decoded = decode_image(encoded(Image.fromarray(bits)), channels=1)
    np.testing.assert_array_equal(unit_range(decoded)[..., 0], bits.astype(np.float32))


def test_camera_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to view
    data = encoded(np.tile(np.linspace(0, 255, 32).astype(np.uint8), (16, 1)), "JPEG", exif=exif)
    decoded = decode_image(data, channels=1)[..., 0].astype(int)
    assert decoded.shape == (32, 16)
    assert decoded[0].max() < 30 and decoded[-1].min() > 225


@pytest.mark.parametrize(("pixels", "maximum"), [(np.uint8([0, 51, 255]), 255), (np.uint16([0, 13107, 65535]), 65535)])
def test_integers_are_scaled_by_the_maximum_of_their_type(pixels, maximum):
    result = unit_range(pixels.reshape(1, 3, 1))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result.ravel(), pixels / maximum, rtol=1e-6)


def test_float_tiff_in_unit_range_is_kept():
    pixels = RNG.random((4, 5), dtype=np.float32)
    result = unit_range(decode_image(encoded(pixels, "TIFF"), channels=1))
    np.testing.assert_array_equal(result[..., 0], pixels)


def test_shrinking_averages_areas():
    pixels = RNG.integers(0, 256, (8, 12), np.uint8)
    expected = pixels.reshape(4, 2, 4, 3).mean((1, 3))
    result = decode_image(encoded(pixels), channels=1, size=(4, 4))[..., 0]
    assert np.abs(result - expected).max() <= 0.5 + 1e-6


def test_enlarging_interpolates_linearly():
    pixels = np.array([[0, 200]], np.uint8)
    result = decode_image(encoded(pixels), channels=1, size=(1, 4))[0, :, 0]
    np.testing.assert_array_equal(result, [0, 50, 150, 200])


@pytest.mark.parametrize("channels", [1, 3])
def test_size_is_height_then_width(channels):
    assert decode_image(encoded(COLOUR), channels=channels, size=(5, 3)).shape == (5, 3, channels)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_files_cut_short_are_damaged(kind, share):
    data = encoded(RNG.integers(0, 256, (64, 64, 3), np.uint8), kind)
    with pytest.raises(DamagedImage, match=r"cannot be decoded|is cut short"):
        decode_image(data[: int(share * len(data))], channels=3)


def test_jpeg_cut_short_after_its_thumbnail_is_damaged():
    pixels = RNG.integers(0, 256, (64, 64), np.uint8)
    whole = encoded(pixels, "JPEG", comment=encoded(pixels[:8, :8], "JPEG"))  # a complete JPEG in the header
    assert decode_image(whole, channels=1).shape == (64, 64, 1)
    with pytest.raises(DamagedImage, match="is cut short"):
        decode_image(whole[:-200], channels=1)


@pytest.mark.parametrize("data", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_other_bytes_are_damaged(data):
    with pytest.raises(DamagedImage, match="cannot be decoded"):
        decode_image(data, channels=3)


def test_signed_pixels_are_refused():
    with pytest.raises(DamagedImage, match="pixels of type int32"):
        decode_image(encoded(Image.fromarray(GREY_16.astype(np.int32)), "TIFF"), channels=1)


@pytest.mark.parametrize("value", [-0.5, 255.0, np.nan])
def test_float_pixels_outside_unit_range_are_refused(value):
    with pytest.raises(DamagedImage, match=r"float pixels in .*, not in \[0, 1\]"):
        decode_image(encoded(np.full((4, 4), value, np.float32), "TIFF"), channels=1)
