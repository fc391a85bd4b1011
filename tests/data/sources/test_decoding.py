import io
import struct

import cv2
import numpy as np
import pytest
from picture_files import png, tiff
from PIL import Image

from cfx_jax.data.sources.decoding import (
    DamagedImage,
    decode_image,
    show_values,
    unit_range,
)
from cfx_jax.errors import InputError

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


@pytest.mark.parametrize(
    ("pixels", "maximum"), [(np.uint8([0, 51, 255]), 255), (np.uint16([0, 13107, 65535]), 65535)]
)
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
    whole = encoded(
        pixels, "JPEG", comment=encoded(pixels[:8, :8], "JPEG")
    )  # a complete JPEG in the header
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


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_with_white_as_zero_is_not_a_negative(order, dtype):
    """Written by hand: Pillow and OpenCV pass over the tag at 16 bits and for floats."""
    stored = RNG.integers(0, 256, (4, 5)).astype(dtype) / (255 if dtype is np.float32 else 1)
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    values = [stored.astype(np.dtype(dtype).newbyteorder(order)).tobytes()]
    kind = {
        "bits": 8 * np.dtype(dtype).itemsize,
        "sample_format": 3 if dtype is np.float32 else 1,
        "order": order,
    }
    for colour, expected in ((1, stored), (0, top - stored)):
        decoded = decode_image(tiff(values, 5, 4, colour=colour, **kind), channels=1)
        np.testing.assert_array_equal(decoded[..., 0], expected.astype(dtype))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("colour", [0, 1])
def test_a_window_shows_values_of_any_type_whichever_end_is_white(dtype, colour):
    """Hounsfield units, say: centre 40 and width 400 show -160 as black and 240 as white."""
    stored = np.array([[-1000, -160, 40], [140, 240, 3000]])
    stored = stored - (stored.min() if dtype is np.uint16 else 0)
    low = stored[0, 1]
    kind = {"bits": 8 * np.dtype(dtype).itemsize}
    kind["sample_format"] = {"i": 2, "u": 1, "f": 3}[np.dtype(dtype).kind]
    data = tiff([stored.astype(dtype).tobytes()], 3, 2, colour=colour, **kind)
    expected = np.array([[0, 0, 0.5], [0.75, 1, 1]])
    shown = show_values(data, channels=1, window=(float(low) + 200, 400.0))
    np.testing.assert_allclose(shown[..., 0], 1 - expected if colour == 0 else expected, atol=1e-6)
    whole = show_values(data, channels=3, window="values")
    expected = (stored - stored.min()) / np.ptp(stored)
    expected = 1 - expected if colour == 0 else expected
    np.testing.assert_allclose(whole, np.stack([expected] * 3, -1), atol=1e-6)


def test_a_window_shows_no_values_that_are_not_finite():
    data = encoded(np.full((4, 4), np.nan, np.float32), "TIFF")
    with pytest.raises(DamagedImage, match="NaN or infinite"):
        show_values(data, channels=1, window="values")


@pytest.mark.parametrize("bits", [1, 4])
def test_few_bits_fill_the_range_whichever_end_is_white(bits):
    stored = np.arange(16).reshape(2, 8) % 2**bits
    values = [
        np.packbits(
            np.unpackbits(stored.astype(np.uint8)[..., None], axis=-1)[..., -bits:]
        ).tobytes()
    ]
    for colour, expected in ((1, stored), (0, 2**bits - 1 - stored)):
        decoded = decode_image(tiff(values, 8, 2, bits=bits, colour=colour), channels=1)
        np.testing.assert_allclose(unit_range(decoded)[..., 0], expected / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("dtype", "samples"),
    [(np.uint8, 3), (np.uint16, 3), (np.uint16, 4), (np.float32, 3), (np.float32, 4)],
)
def test_colours_in_planes_are_put_together(order, dtype, samples):
    stored = RNG.integers(0, 256, (4, 5, samples)).astype(dtype) / (
        255 if dtype is np.float32 else 1
    )
    planes = [
        stored[..., plane].astype(np.dtype(dtype).newbyteorder(order)).tobytes()
        for plane in range(samples)
    ]
    kind = {
        "bits": 8 * np.dtype(dtype).itemsize,
        "sample_format": 3 if dtype is np.float32 else 1,
        "order": order,
    }
    data = tiff(planes, 5, 4, colour=2, samples=samples, planar=True, **kind)
    np.testing.assert_array_equal(decode_image(data, channels=3), stored[..., :3].astype(dtype))


def test_sixteen_bits_of_other_colours_are_refused():
    data = tiff([GREY_16.tobytes()], 9, 8, bits=16, colour=32803)  # a camera's mosaic
    with pytest.raises(
        DamagedImage, match=r"16 bits of photometric interpretation 32803|cannot be decoded"
    ):
        decode_image(data, channels=1)


@pytest.mark.parametrize(
    "behind", [b"\xff\xda", b"\xff\xd8\xff\xda", RNG.bytes(20_000), b"\xff\xd9"]
)
def test_what_lies_behind_the_end_of_a_jpeg_does_not_count(behind):
    data = encoded(COLOUR, "JPEG")
    np.testing.assert_array_equal(
        decode_image(data + behind, channels=3), decode_image(data, channels=3)
    )


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_jpeg_without_its_end_is_damaged_whatever_lies_behind(options):
    data = encoded(RNG.integers(0, 256, (32, 32, 3), np.uint8), "JPEG", **options)
    assert decode_image(data, channels=3).shape == (32, 32, 3)
    with pytest.raises(DamagedImage, match="is cut short"):
        decode_image(data[:-2], channels=3)


@pytest.mark.parametrize("kind", ["BMP", "WEBP"])
def test_further_kinds_come_back_exactly_or_are_damaged(kind):
    data = encoded(COLOUR, kind, **({"lossless": True} if kind == "WEBP" else {}))
    np.testing.assert_array_equal(decode_image(data, channels=3), COLOUR)
    with pytest.raises(DamagedImage, match="cannot be decoded"):
        decode_image(data[:-20], channels=3)


def bombs():
    """Small files that announce large pictures."""
    jpeg, bmp = encoded(COLOUR, "JPEG"), bytearray(encoded(COLOUR, "BMP"))
    frame = jpeg.index(b"\xff\xc0")
    struct.pack_into("<ii", bmp, 18, 60_000, -60_000)
    webp = bytearray(encoded(COLOUR, "WEBP", lossless=True))
    struct.pack_into("<I", webp, 21, 0x3FFF | 0x3FFF << 14)
    return {
        "grey": png(32_000, 33_000),
        "colour": png(16_000, 16_000, colour=2),
        "JPEG": jpeg[: frame + 5] + struct.pack(">HH", 30_000, 30_000) + jpeg[frame + 9 :],
        "TIFF": tiff([GREY.tobytes()], 60_000, 60_000, bits=8, colour=1),
        "BMP": bytes(bmp),
        "WebP": bytes(webp),
    }


@pytest.mark.parametrize(("kind", "data"), bombs().items())
def test_pictures_larger_than_allowed_are_refused_before_they_are_decoded(kind, data, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(
        DamagedImage,
        match=r"unpacks to [\d,]+ MiB, more than the 512 MiB .* set CFX_UNPACK_LIMIT_MIB",
    ):
        decode_image(data, channels=1)


def test_bound_can_be_raised_and_lowered(monkeypatch):
    data = encoded(RNG.integers(0, 256, (700, 600, 3), np.uint8))
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "1")
    with pytest.raises(DamagedImage, match="unpacks to 1 MiB, more than the 1 MiB"):
        decode_image(data, channels=3)
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "2")
    assert decode_image(data, channels=3).shape == (700, 600, 3)
    for text in ("0", "much", "-1", ""):
        monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", text)
        with pytest.raises(
            InputError, match="CFX_UNPACK_LIMIT_MIB: expected a whole number of MiB above 0, got"
        ):
            decode_image(data, channels=3)


@pytest.mark.parametrize(
    ("reader", "start"),
    [("read_dicom", bytes(128) + b"DICM"), ("read_nifti", bytes(344) + b"n+1\0")],
)
def test_files_with_a_reader_of_their_own_are_sent_there(reader, start):
    with pytest.raises(DamagedImage, match=f"read it by cfx_jax.data.{reader}"):
        decode_image(start + bytes(100), channels=1)


def test_any_failure_of_a_library_is_damage_and_no_mistake_of_the_caller_is(monkeypatch):
    def fails(kind):
        def imdecode(*_):
            raise kind("broken\ninside")

        return imdecode

    for kind in (
        MemoryError,
        OverflowError,
        RecursionError,
        AssertionError,
        struct.error,
        KeyError,
        TypeError,
    ):
        monkeypatch.setattr(cv2, "imdecode", fails(kind))
        with pytest.raises(DamagedImage, match=r"^cannot be decoded \(.*broken.*inside.*\)$"):
            decode_image(encoded(COLOUR), channels=3)
    monkeypatch.setattr(cv2, "imdecode", fails(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        decode_image(encoded(COLOUR), channels=3)


@pytest.mark.parametrize(
    ("window", "expected"), [("values", [0, 1000 / 4095, 1]), ((1000, 2000), [0, 0.5, 1])]
)
def test_window_says_which_values_are_shown(window, expected):
    data = encoded(np.uint16([[0, 1000, 4095]]))
    shown = show_values(data, channels=1, window=window)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown.ravel(), expected, rtol=1e-6)
    whole = unit_range(decode_image(data, channels=1))
    np.testing.assert_allclose(whole.ravel(), [0, 1000 / 65535, 4095 / 65535], rtol=1e-6)


def test_files_too_small_for_what_their_header_says_are_not_decoded(monkeypatch):
    black = png(4000, 3000, rows=3000)
    assert decode_image(black, channels=1, size=(3, 4)).max() == 0 and len(black) < 100_000
    jpeg = encoded(np.zeros((64, 64, 3), np.uint8), "JPEG")
    frame = jpeg.index(b"\xff\xc0")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    chunk = black.index(b"IDAT") - 4
    long = black[:chunk] + b"\x35" + black[chunk + 1 :]
    for data in (
        png(20_000, 20_000),
        long,
        jpeg[: frame + 5] + struct.pack(">HH", 9000, 9000) + jpeg[frame + 9 :],
    ):
        with pytest.raises(DamagedImage, match="is cut short"):
            decode_image(data, channels=1)


def test_palette_of_four_bits_is_resolved():
    """A file of eight bits with its map cut to sixteen colours, and two pixels in each byte."""
    stored, colours = np.arange(16).reshape(2, 8), RNG.integers(0, 256, (3, 16))
    values = [
        np.packbits(np.unpackbits(stored.astype(np.uint8)[..., None], axis=-1)[..., -4:]).tobytes()
    ]
    data = tiff(values, 8, 2, bits=4, colour=3, colour_map=(colours * 257).ravel().tolist())
    np.testing.assert_array_equal(decode_image(data, channels=3), colours.T[stored])
