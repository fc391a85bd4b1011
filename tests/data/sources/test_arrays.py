import numpy as np
import pytest

from cfx_jax.data import ArraySource
from cfx_jax.errors import InputError

IMAGES = np.random.default_rng(0).random((4, 3, 2, 1), dtype=np.float32)
LABELS = np.array([0, 1, 1, 0])


def test_float_images_come_back_as_they_are():
    source = ArraySource(IMAGES, LABELS, ("a", "b"))
    assert len(source) == 4 and source.class_names == ("a", "b")
    np.testing.assert_array_equal(source[2]["image"], IMAGES[2])
    assert source[2]["label"] == 1


def test_bytes_are_scaled_to_unit_range():
    pixels = np.array([0, 51, 255], np.uint8).reshape(1, 3, 1, 1)
    image = ArraySource(pixels, np.array([1]), ("a", "b"))[0]["image"]
    assert image.dtype == np.float32
    np.testing.assert_allclose(image.ravel(), [0, 0.2, 1], rtol=1e-6)


def test_volumes_come_back_as_they_are():
    volumes = np.stack([IMAGES, 1 - IMAGES], axis=1)
    np.testing.assert_array_equal(ArraySource(volumes, LABELS, ("a", "b"))[3]["image"], volumes[3])


def test_index_past_the_end_raises_index_error():
    with pytest.raises(IndexError):
        ArraySource(IMAGES, LABELS, ("a", "b"))[4]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[..., 0], r"got shape \(4, 3, 2\): add a channel axis with images\[..., None\]"),
        (IMAGES[0, 0], r"got shape \(2, 1\): stack images of one size"),
        (IMAGES[:0], r"expected a non-empty array \(n, h, w, c\), got shape \(0, 3, 2, 1\)"),
        (IMAGES.astype(np.float64), r"expected float32 in \[0, 1\] or uint8, got float64"),
        (IMAGES.astype(np.int64), "got int64"),
        (IMAGES * 255, r"finite values in \[0, 1\], got \[0"),
        (IMAGES - 1, r"finite values in \[0, 1\], got \[-"),
        (np.full_like(IMAGES, np.nan), r"got \[nan, nan\]"),
    ],
)
def test_wrong_images_are_explained(images, message):
    with pytest.raises(InputError, match=message):
        ArraySource(images, LABELS, ("a", "b"))


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (
            LABELS[:3],
            ("a", "b"),
            r"labels: expected 4 integers, one for each image, got shape \(3,\)",
        ),
        (LABELS.astype(float), ("a", "b"), "got shape .4,. of float64"),
        (LABELS + 1, ("a", "b"), r"expected classes in 0..1 .* got labels in 1..2 and 2 names"),
        (LABELS - 1, ("a", "b"), "got labels in -1..0"),
        (LABELS * 0, ("a",), "at least two class names"),
    ],
)
def test_wrong_labels_are_explained(labels, names, message):
    with pytest.raises(InputError, match=message):
        ArraySource(IMAGES, labels, names)
