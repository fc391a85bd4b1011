import numpy as np
import pytest
from fundus_photographs import photograph

from cfx_jax.data.fundus import UnusableImage, clahe, crop_to_circle, fit_circle, preprocess
from cfx_jax.errors import InputError

PHOTOGRAPH = photograph(0, height=240)


def test_even_contrast_then_the_circle_of_the_photograph_as_it_was():
    image, mask, circle = preprocess(PHOTOGRAPH.image, size=64)
    assert circle == fit_circle(PHOTOGRAPH.image)
    expected, expected_mask = crop_to_circle(clahe(PHOTOGRAPH.image), circle, size=64)
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(mask, expected_mask)


def test_without_clahe_the_pixels_are_those_of_the_photograph():
    image, _, circle = preprocess(PHOTOGRAPH.image, size=64, clahe=False)
    np.testing.assert_array_equal(image, crop_to_circle(PHOTOGRAPH.image, circle, size=64)[0])


def test_the_form_of_the_result():
    image, mask, _ = preprocess(PHOTOGRAPH.image)
    assert image.shape == (224, 224, 3) and image.dtype == np.uint8
    assert mask.shape == (224, 224) and mask.dtype == bool
    assert (image[~mask] == 0).all() and mask.mean() == pytest.approx(np.pi / 4, abs=0.01)


def test_a_photograph_in_the_dark_is_too_dark():
    with pytest.raises(
        UnusableImage, match=r"^too dark: 99% of it is below grey level \d+ of 255$"
    ):
        preprocess(PHOTOGRAPH.image // 16)


def test_an_eye_that_is_white_is_over_exposed():
    blown = np.clip(
        PHOTOGRAPH.image.astype(int) * (PHOTOGRAPH.image.mean(-1, keepdims=True) > 20) * 30, 0, 255
    )
    with pytest.raises(UnusableImage, match=r"^over-exposed: \d+% of the eye is white$"):
        preprocess(blown.astype(np.uint8))


def test_other_faults_keep_their_reason():
    with pytest.raises(UnusableImage, match=r"^too small: 40 x 40 pixels"):
        preprocess(np.full((40, 40, 3), 99, np.uint8))
    with pytest.raises(UnusableImage, match=r"^no visible eye: "):
        preprocess(np.full((90, 90, 3), 99, np.uint8))


def test_mistakes_are_named():
    with pytest.raises(InputError, match="size: expected at least 1 pixel, got 0"):
        preprocess(PHOTOGRAPH.image, size=0)
    with pytest.raises(InputError, match=r"expected uint8 pixels in 0\.\.255, got float64"):
        preprocess(PHOTOGRAPH.image / 255)
