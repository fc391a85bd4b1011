import logging
import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import (
    apply_color_lut,
    apply_modality_lut,
    apply_voi,
    apply_windowing,
    pixel_array,
)
from pydicom.pixels.decoders import JPEG2000Decoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    MPEG2MPML,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from cfx_jax.data import dicom, read_dicom, read_dicom_frames
from cfx_jax.errors import InputError

# Only what the package ships: asking pydicom for a file by name would download one that it lacks.
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
STORED = np.random.default_rng(0).integers(0, 256, (6, 7), np.uint8)


def grey(stored, bits=None, **elements):
    """A dataset of one grey image."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = 8 * stored.itemsize
    dataset.BitsStored = bits or dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in elements.items():
        setattr(dataset, name, value)
    return dataset


def saved(dataset, stored, path, syntax=ExplicitVRLittleEndian):
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if stored.itemsize == 1 else "OW"
    dataset.save_as(path, enforce_file_format=True)
    return path


def table(entries, first, bits):
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [len(entries), first, bits], entries
    item["LUTDescriptor"].VR, item["LUTData"].VR = "SS" if first < 0 else "US", "US"
    return Sequence([item])


def displayed(dataset, values):
    """pydicom's own window, brought from the range of its output to [0, 1]."""
    scale = 2**dataset.BitsStored - 1
    low = -(2 ** (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
    low, high = apply_modality_lut(np.array([low, low + scale]), dataset)
    return (apply_windowing(apply_modality_lut(values, dataset), dataset) - low) / (high - low)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small",
        "MR_small_RLE",
        "MR_small_bigendian",
        "MR_small_implicit",
        "MR_small_jp2klossless",
        "image_dfl",
    ],
)
def test_window_of_the_file_as_pydicom_applies_it(name):
    path = SHIPPED / f"{name}.dcm"
    dataset = dcmread(path)
    image = read_dicom(path)
    assert image.dtype == np.float32 and image.shape == (dataset.Rows, dataset.Columns, 1)
    np.testing.assert_allclose(image[..., 0], displayed(dataset, dataset.pixel_array), atol=1e-6)


def test_hounsfield_units_by_a_window_of_ones_own():
    dataset = dcmread(SHIPPED / "CT_small.dcm")
    units = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
    image = read_dicom(SHIPPED / "CT_small.dcm", window=(40, 400))
    np.testing.assert_allclose(image[..., 0], np.interp(units, [-160, 240], [0, 1]), atol=1e-6)
    assert image.min() == 0 and image.max() == 1


def test_smallest_to_largest_value():
    stored = dcmread(SHIPPED / "CT_small.dcm").pixel_array.astype(float)
    image = read_dicom(SHIPPED / "CT_small.dcm", window="values")[..., 0]
    np.testing.assert_allclose(image, (stored - stored.min()) / np.ptp(stored), atol=1e-6)


def test_equal_values_stay_equal_over_the_full_range(tmp_path):
    for bits, dtype in ((12, np.uint16), (16, np.int16)):
        low = -(2**15) if dtype is np.int16 else 0
        stored = np.array([[low, 0], [5, low + 2**bits - 1]], dtype)
        path = saved(
            grey(stored, bits, RescaleSlope=2, RescaleIntercept=-7), stored, tmp_path / "a.dcm"
        )
        expected = (stored.astype(float) - low) / (2**bits - 1)
        np.testing.assert_allclose(read_dicom(path, window="full")[..., 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
def test_eight_bits_without_a_window_as_they_are(tmp_path, syntax):
    path = saved(grey(STORED), STORED, tmp_path / "a.dcm", syntax)
    np.testing.assert_array_equal(
        read_dicom(path)[..., 0], STORED.astype(np.float32) / np.float32(255)
    )


def test_low_values_are_bright_in_monochrome1(tmp_path):
    window = {"WindowCenter": 100, "WindowWidth": 80}
    paths = [
        saved(
            grey(STORED, PhotometricInterpretation=kind, **window), STORED, tmp_path / f"{kind}.dcm"
        )
        for kind in ("MONOCHROME1", "MONOCHROME2")
    ]
    inverted, image = map(read_dicom, paths)
    np.testing.assert_allclose(inverted, 1 - image, atol=1e-7)
    assert image[..., 0][STORED.max() == STORED].min() == 1


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("width", [1, 2, 120])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_window_functions_as_pydicom_applies_them(tmp_path, function, width, dtype):
    stored = STORED.astype(dtype) - dtype(50 if dtype is np.int16 else 0)
    elements = {
        "WindowCenter": ["60", "1"],
        "WindowWidth": [str(width), "5"],
        "VOILUTFunction": function,
    }
    dataset = grey(stored, RescaleSlope="1.5", RescaleIntercept="-20", **elements)
    image = read_dicom(saved(dataset, stored, tmp_path / "a.dcm"))[..., 0]
    np.testing.assert_allclose(image, displayed(dataset, stored), atol=1e-6)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("first", [0, -40])
def test_table_of_interest_goes_before_the_window(tmp_path, syntax, first):
    stored = STORED.astype(np.int16) - np.int16(60)
    entries = np.sort(np.random.default_rng(1).integers(0, 4096, 150)).tolist()
    dataset = grey(stored, VOILUTSequence=table(entries, first, 12), WindowCenter=1, WindowWidth=9)
    expected = apply_voi(stored, dataset) / 4095
    image = read_dicom(saved(dataset, stored, tmp_path / "a.dcm", syntax))[..., 0]
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_long_table_of_eight_bits(tmp_path):
    stored = np.arange(0, 4096, 97, np.uint16)[:42].reshape(6, 7)
    entries = (np.arange(4096) // 16).tolist()
    path = saved(grey(stored, 12, VOILUTSequence=table(entries, 0, 8)), stored, tmp_path / "a.dcm")
    np.testing.assert_allclose(read_dicom(path)[..., 0], (stored // 16) / 255, atol=1e-6)


def test_modality_table_before_the_window(tmp_path):
    entries = np.random.default_rng(1).integers(0, 65536, 256).tolist()
    window = {"WindowCenter": 30000, "WindowWidth": 50000}
    dataset = grey(STORED, ModalityLUTSequence=table(entries, 0, 16), **window)
    values = apply_modality_lut(STORED, dataset)
    image = read_dicom(saved(dataset, STORED, tmp_path / "a.dcm"))[..., 0]
    np.testing.assert_allclose(image, apply_windowing(values, dataset) / 65535, atol=1e-6)
    np.testing.assert_allclose(
        read_dicom(tmp_path / "a.dcm", window="full")[..., 0], values / 65535, atol=1e-6
    )


@pytest.mark.parametrize(
    "name",
    [
        "ExplVR_BigEnd",
        "SC_rgb_rle",
        "SC_rgb_rle_16bit",
        "SC_rgb_jpeg_dcmtk",
        "SC_rgb_small_odd_jpeg",
        "SC_rgb_dcmtk_+eb+cy+n1",
        "SC_ybr_full_422_uncompressed",
        "examples_jpeg2k",
    ],
)
def test_colour_becomes_red_green_blue(name):
    path = SHIPPED / f"{name}.dcm"
    expected = pixel_array(dcmread(path)) / (2.0 ** dcmread(path).BitsStored - 1)
    image = read_dicom(path)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_palette_becomes_red_green_blue():
    path = SHIPPED / "examples_palette.dcm"
    dataset = dcmread(path)
    expected = apply_color_lut(dataset.pixel_array, dataset)
    np.testing.assert_allclose(
        read_dicom(path), expected / (2.0 ** (8 * expected.itemsize) - 1), atol=1e-6
    )


def test_one_of_several_frames_and_all():
    path = SHIPPED / "rtdose.dcm"
    stored = dcmread(path).pixel_array.astype(float)
    frames = read_dicom_frames(path, window="full")
    assert frames.shape == (15, 10, 10, 1) and frames.dtype == np.float32
    np.testing.assert_allclose(frames[..., 0], stored / (2.0**32 - 1), rtol=1e-6)
    np.testing.assert_array_equal(read_dicom(path, frame=4, window="full"), frames[4])
    assert read_dicom_frames(SHIPPED / "examples_ybr_color.dcm").shape == (30, 240, 320, 3)
    assert read_dicom_frames(SHIPPED / "MR_small.dcm").shape == (1, 64, 64, 1)


def test_each_frame_of_an_enhanced_file_by_its_own_numbers(tmp_path):
    stored = np.stack([STORED, STORED])

    def group(name, **elements):
        item, inner = Dataset(), Dataset()
        for key, value in elements.items():
            setattr(inner, key, value)
        setattr(item, name, Sequence([inner]))
        return item

    frames = [
        group("PixelValueTransformationSequence", RescaleSlope=slope, RescaleIntercept=0)
        for slope in (1, 2)
    ]
    shared = group("FrameVOILUTSequence", WindowCenter="128", WindowWidth="256")
    dataset = grey(stored, NumberOfFrames=2, PerFrameFunctionalGroupsSequence=Sequence(frames))
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    one, two = read_dicom_frames(saved(dataset, stored, tmp_path / "a.dcm"))[..., 0]
    np.testing.assert_allclose(one, STORED / 255, atol=1e-6)
    np.testing.assert_allclose(two, (STORED * 2.0).clip(0, 255) / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nowhere",
            "path: expected a DICOM file, but there is no file '.*nowhere.dcm': check the spelling",
        ),
        ("no_meta", "no_meta.dcm' is no DICOM file: bytes 128 to 131 are not DICM"),
        (
            "rtplan",
            "rtplan.dcm' holds no pixels, its kind is 'RT Plan Storage': give a file with an image,"
            " or",
        ),
        (
            "MR_truncated",
            r"pixels that cannot be decoded \(.*8130 vs 8192 bytes.*\): copy or download it again$",
        ),
        (
            "CT_small",
            r"CT_small.dcm': expected a window in a file of 16 bits, it has none: give"
            r" a window: centre and width",
        ),
        (
            "rtdose",
            r"frame: expected a frame in 0..14, got None for '.*rtdose.dcm' of 15 frames: choose"
            r" one, or read all",
        ),
    ],
)
def test_files_without_a_usable_image_are_explained(name, message):
    with pytest.raises(InputError, match=message):
        read_dicom(SHIPPED / f"{name}.dcm")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "MR_small_jpeg_ls_lossless",
            "compressed as JPEG-LS Lossless Image Compression, which nothing .* install pyjpegls",
        ),
        (
            "SC_rgb_jpeg_gdcm",
            r"compressed as JPEG Lossless, .* `pip install 'pylibjpeg\[libjpeg\]'`",
        ),
        (
            "JPEG-lossy",
            r"cannot be decoded \(.*12-bit.*\): .*, or if it is whole run `pip install"
            r" 'pylibjpeg\[libjpeg\]'`",
        ),
    ],
)
def test_missing_decoder_is_named(name, message, monkeypatch):
    dataset = dcmread(SHIPPED / f"{name}.dcm")
    decoder = pydicom.pixels.get_decoder(dataset.file_meta.TransferSyntaxUID)
    if set(decoder.available_plugins) - {"pillow"}:
        pytest.skip("a further decoder is installed here")
    with pytest.raises(InputError, match=message):
        read_dicom(SHIPPED / f"{name}.dcm")


def test_decoder_of_jpeg_2000_is_named_where_pillow_cannot_help(monkeypatch):
    monkeypatch.setattr(JPEG2000Decoder, "_available", {})
    with pytest.raises(
        InputError, match=r"compressed as JPEG 2000 .*: run `pip install 'pylibjpeg\[openjpeg\]'`"
    ):
        read_dicom(SHIPPED / "JPEG2000.dcm")


def test_film_is_refused(tmp_path):
    path = saved(grey(STORED), STORED, tmp_path / "a.dcm")
    dataset = dcmread(path)
    dataset.PixelData = pydicom.encaps.encapsulate([b"film"])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    dataset.save_as(path)
    with pytest.raises(
        InputError,
        match=r"is stored as MPEG2 Main .*, which pydicom does not decode: convert it to an",
    ):
        read_dicom(path)


def test_damage_is_reported_without_the_decoders_own_words(tmp_path, caplog):
    content = (SHIPPED / "SC_rgb_jpeg_dcmtk.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content.replace(b"\xff\xd8\xff", b"\0\0\0"))
    with (
        caplog.at_level(logging.DEBUG),
        pytest.raises(InputError, match=r"a.dcm' has pixels that cannot be decoded \("),
    ):
        read_dicom(tmp_path / "a.dcm")
    assert not [record for record in caplog.records if record.exc_info]


def test_cut_header_is_damage(tmp_path):
    (tmp_path / "a.dcm").write_bytes((SHIPPED / "MR_small.dcm").read_bytes()[:153])
    with pytest.raises(InputError, match=r"a.dcm' is damaged \(.*\): copy or download it again"):
        read_dicom(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        (
            {"PhotometricInterpretation": "HSV"},
            "a.dcm' has pixels of kind HSV, expected MONOCHROME1, MONOCHROME2, RGB,",
        ),
        (
            {"WindowCenter": 5, "WindowWidth": 0},
            "a.dcm': expected a window with a width above 0, got centre 4.5 and",
        ),
        (
            {"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "GAMMA"},
            "a.dcm': expected a window of the kind LINEAR, LINEAR_EXACT or SIGMOID, got GAMMA: give"
            " a window",
        ),
        (
            {"VOILUTSequence": Sequence([Dataset()])},
            r"a.dcm' tells how to show it in a way that cannot be used \(.*LUTDescriptor.*\)",
        ),
        (
            {"RescaleSlope": 0, "RescaleIntercept": 1},
            "a.dcm': expected a rescale slope other than 0: correct the file",
        ),
    ],
)
def test_impossible_numbers_are_explained(tmp_path, elements, message):
    with pytest.raises(InputError, match=message):
        read_dicom(saved(grey(STORED, **elements), STORED, tmp_path / "a.dcm"))


def test_float_pixels_need_a_window(tmp_path):
    stored = np.linspace(-1, 1, 42, dtype=np.float32).reshape(6, 7)
    dataset = grey(stored)
    del dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    saved(dataset, stored, tmp_path / "a.dcm")
    dataset.FloatPixelData = dataset.PixelData
    del dataset.PixelData
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    expected = np.interp(stored, [-0.5, 0.5], [0, 1])
    np.testing.assert_allclose(
        read_dicom(tmp_path / "a.dcm", window=(0, 1))[..., 0], expected, atol=1e-6
    )
    with pytest.raises(
        InputError,
        match=r"a.dcm': expected a number of stored bits, which the file does not give: give",
    ):
        read_dicom(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    "window", ["bone", (40,), (40, 0), ((40, 80), 3), (40, float("nan")), ("40", "80"), None]
)
def test_other_windows_are_refused(window):
    for read in (read_dicom, read_dicom_frames):
        with pytest.raises(
            InputError,
            match=r"window: expected 'file', 'full', 'values' or \(centre, width\) .* got ",
        ):
            read(SHIPPED / "CT_small.dcm", window=window)


@pytest.mark.parametrize("frame", [-1, 15])
def test_frame_that_is_not_there_is_refused(frame):
    with pytest.raises(
        InputError,
        match=rf"frame: expected a frame in 0..14 of '.*rtdose.dcm', got {frame}: choose",
    ):
        read_dicom(SHIPPED / "rtdose.dcm", frame=frame)


def test_package_that_is_needed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(
        InputError,
        match=r"the package 'pydicom' is needed for reading DICOM .* `pip install pydicom`",
    ):
        read_dicom(SHIPPED / "MR_small.dcm")


UNSIGNED = np.linspace(24, 2024, 42).round().astype(np.uint16).reshape(6, 7)  # HU + 1024


def with_table(path, stored, entries, first, kind, syntax, tag="VOILUTSequence", **elements):
    """A file of 12 bits with a table whose first value is written with a sign or without."""
    item = Dataset()
    item.add_new(0x00283002, kind, [len(entries), first, 12])
    item.add_new(0x00283006, "US", entries)
    dataset = grey(stored, 12, **{tag: Sequence([item]), **elements})
    return saved(dataset, stored, path, syntax)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize(("kind", "written"), [("SS", -1000), ("US", 2**16 - 1000)])
def test_table_of_interest_from_a_negative_value_on_whatever_sign_the_pixels_have(
    tmp_path, syntax, kind, written
):
    """Files that do not tell the kind are read by the pixels' sign, which is not that of the values
    looked up.
    """
    entries = np.arange(0, 4096, 2).tolist()
    elements = {"RescaleSlope": 1, "RescaleIntercept": -1024}
    path = with_table(tmp_path / "a.dcm", UNSIGNED, entries, written, kind, syntax, **elements)
    expected = np.clip(UNSIGNED.astype(int) - 1024 + 1000, 0, 2047) * 2 / 4095
    np.testing.assert_allclose(read_dicom(path)[..., 0], expected, atol=1e-6)
    inverted = with_table(
        tmp_path / "b.dcm",
        UNSIGNED,
        entries,
        written,
        kind,
        syntax,
        PhotometricInterpretation="MONOCHROME1",
        **elements,
    )
    np.testing.assert_allclose(read_dicom(inverted)[..., 0], 1 - expected, atol=1e-6)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_table_of_interest_from_a_large_value_on_where_no_value_is_negative(tmp_path, syntax):
    """Signed pixels become unsigned values by the rescale, or by a table of the modality."""
    stored = np.linspace(-2000, 2000, 42).round().astype(np.int16).reshape(6, 7)
    entries = np.arange(0, 4096, 1).tolist()
    elements = {"RescaleSlope": 10, "RescaleIntercept": 20480}
    path = with_table(tmp_path / "a.dcm", stored, entries, 36_000, "US", syntax, **elements)
    expected = np.clip(stored.astype(int) * 10 + 20480 - 36_000, 0, 4095) / 4095
    np.testing.assert_allclose(read_dicom(path)[..., 0], expected, atol=1e-6)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_table_of_the_modality_by_the_sign_of_the_pixels(tmp_path, syntax):
    stored = np.linspace(-1000, 1000, 42).round().astype(np.int16).reshape(6, 7)
    entries = np.arange(0, 4002, 2).tolist()
    path = with_table(
        tmp_path / "a.dcm",
        stored,
        entries,
        -1000,
        "SS",
        syntax,
        "ModalityLUTSequence",
        WindowCenter=2048,
        WindowWidth=4096,
    )
    np.testing.assert_allclose(read_dicom(path)[..., 0], (stored + 1000.0) * 2 / 4095, atol=1e-6)


def test_table_of_eight_bits_two_of_which_share_a_number(tmp_path):
    entries = np.arange(256, dtype=np.uint8)[::-1].copy()
    item = Dataset()
    item.add_new(0x00283002, "US", [256, 0, 8])
    item.add_new(0x00283006, "US", entries.view("<u2").tolist())
    path = saved(grey(STORED, VOILUTSequence=Sequence([item])), STORED, tmp_path / "a.dcm")
    np.testing.assert_allclose(
        read_dicom(path)[..., 0], (255 - STORED.astype(float)) / 255, atol=1e-6
    )


@pytest.mark.parametrize("bits", [0, 17, 40_000])
def test_table_of_an_impossible_number_of_bits_is_refused(tmp_path, bits):
    path = saved(
        grey(STORED, VOILUTSequence=table(list(range(256)), 0, bits)), STORED, tmp_path / "a.dcm"
    )
    with pytest.raises(
        InputError, match=rf"a.dcm': expected a table of 1 to 16 bits, got {bits}: give a window"
    ):
        read_dicom(path)


@pytest.mark.parametrize(
    "name", ["CT_small", "MR_small", "MR_small_bigendian", "MR_small_implicit", "image_dfl"]
)
def test_files_without_a_preamble_are_read(tmp_path, name):
    whole, window = SHIPPED / f"{name}.dcm", "values"
    (tmp_path / "a.dcm").write_bytes(whole.read_bytes()[132:])
    np.testing.assert_array_equal(
        read_dicom(tmp_path / "a.dcm", window=window), read_dicom(whole, window=window)
    )


def test_files_that_do_not_tell_how_they_are_stored_are_read(tmp_path):
    for name in ("MR_small_implicit", "CT_small", "MR_small_bigendian"):
        dataset, whole = dcmread(SHIPPED / f"{name}.dcm"), SHIPPED / f"{name}.dcm"
        del dataset.file_meta
        dataset.save_as(
            tmp_path / "a.dcm",
            implicit_vr=dataset.original_encoding[0],
            little_endian=dataset.original_encoding[1],
        )
        np.testing.assert_array_equal(
            read_dicom(tmp_path / "a.dcm", window="values"), read_dicom(whole, window="values")
        )


@pytest.mark.parametrize("number", ["abc", "2\\3", "-4"])
def test_number_of_frames_that_is_none_is_damage(tmp_path, number):
    path = saved(grey(STORED, NumberOfFrames=2), STORED, tmp_path / "a.dcm")
    content = path.read_bytes()
    place = content.index(b"\x28\0\x08\0IS") + 6
    text = number.encode().ljust(4, b" ")
    path.write_bytes(content[:place] + b"\4\0" + text + content[place + 4 :])
    for read in (read_dicom, read_dicom_frames):
        with pytest.raises(
            InputError,
            match=r"a.dcm' is damaged \(its number of frames is none: .*\): copy or download",
        ):
            read(path)


@pytest.mark.parametrize("number", [1, 2])
def test_frames_beyond_those_that_the_header_counts_are_none(tmp_path, number):
    frames = np.stack([STORED, STORED[::-1], STORED[:, ::-1]])
    path = saved(grey(STORED, NumberOfFrames=number), frames, tmp_path / "a.dcm")
    read = read_dicom_frames(path, window="full")
    assert read.shape == (number, *STORED.shape, 1)
    for index in range(number):
        alone = saved(grey(STORED), frames[index], tmp_path / "b.dcm")
        np.testing.assert_array_equal(read[index], read_dicom(alone, window="full"))


def test_sizes_larger_than_allowed_are_refused_before_pixels_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr("pydicom.pixels.pixel_array", lambda *_, **__: pytest.fail("decoded"))
    for name in ("MR_small", "MR_small_RLE", "SC_rgb_jpeg_dcmtk"):
        for size in ({"Rows": 65_535, "Columns": 65_535}, {"NumberOfFrames": 2**30}):
            dataset = dcmread(SHIPPED / f"{name}.dcm")
            for key, value in size.items():
                setattr(dataset, key, value)
            dataset.save_as(tmp_path / "a.dcm")
            with pytest.raises(
                InputError,
                match=r"a.dcm' cannot be used \(unpacks to .* MiB, more than the 512 MiB",
            ):
                read_dicom_frames(tmp_path / "a.dcm")


def test_deflated_files_that_unpack_to_more_than_allowed_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setenv("CFX_UNPACK_LIMIT_MIB", "2")
    content = (SHIPPED / "image_dfl.dcm").read_bytes()
    assert read_dicom(SHIPPED / "image_dfl.dcm").shape == (512, 512, 1)
    start = dicom._dataset_start(content)
    whole = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(whole + bytes(2**22)) + packer.flush()
    (tmp_path / "a.dcm").write_bytes(content[:start] + packed)
    monkeypatch.setattr(pydicom, "dcmread", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(
        InputError, match=r"a.dcm' is damaged \(unpacks to \d MiB, more than the 2 MiB"
    ):
        read_dicom(tmp_path / "a.dcm")


def test_paths_that_are_no_files_are_explained(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, "/dev/zero", "a" * 5000):
        with pytest.raises(
            InputError,
            match=r"path: expected a DICOM file, but there is no file '.*': check the spelling",
        ):
            read_dicom(path)
