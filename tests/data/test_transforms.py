import colorsys

import numpy as np
import pytest
from scipy import ndimage

from cfx_jax.data import (
    color_jitter,
    compose,
    random_affine,
    random_crop,
    random_flip,
    random_noise,
    sometimes,
)
from cfx_jax.data.transforms import (
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)
from cfx_jax.errors import InputError

IMAGE = np.random.default_rng(0).random((12, 10, 3), dtype=np.float32)
GREY = IMAGE[..., :1]
EVERY = {
    "crop": random_crop(padding=3),
    "flip": random_flip("vertical"),
    "affine": random_affine(degrees=15, translate=0.1),
    "noise": random_noise(scale=(0.0, 0.3)),
    "colour": color_jitter(
        brightness=(0.5, 1.5), contrast=(0.5, 2.5), saturation=(0.5, 1.5), hue=0.15
    ),
}


def rng(seed=0):
    return np.random.default_rng(seed)


class Fixed:
    """Stands for a generator whose uniform draws are all one value."""

    def __init__(self, value):
        self.value = value

    def uniform(self, low, high, size=None):
        return self.value if size is None else np.full(size, self.value)

    def integers(self, low, high, size):
        return np.full(size, self.value)


@pytest.mark.parametrize("image", [IMAGE, GREY], ids=["colour", "grey"])
@pytest.mark.parametrize("name", EVERY)
def test_shape_dtype_and_range_are_kept(name, image):
    for seed in range(20):
        result = EVERY[name](image, rng(seed))
        assert result.shape == image.shape and result.dtype == np.float32
        assert result.min() >= 0 and result.max() <= 1


@pytest.mark.parametrize("name", EVERY)
def test_result_depends_on_the_generator_only_and_the_input_is_left_alone(name):
    before = IMAGE.copy()
    np.testing.assert_array_equal(EVERY[name](IMAGE, rng(4)), EVERY[name](IMAGE, rng(4)))
    np.testing.assert_array_equal(IMAGE, before)
    assert len({EVERY[name](IMAGE, rng(seed)).tobytes() for seed in range(20)}) > 1


def test_crop_is_a_shift_that_fills_with_black():
    seen = set()
    for seed in range(200):
        result = random_crop(padding=1)(IMAGE, rng(seed))
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                if np.array_equal(result, ndimage.shift(IMAGE, (down, right, 0), order=0)):
                    seen.add((down, right))
    assert len(seen) == 9


def test_no_padding_is_the_identity():
    np.testing.assert_array_equal(random_crop(padding=0)(IMAGE, rng()), IMAGE)


def test_flips():
    np.testing.assert_array_equal(
        random_flip("horizontal", probability=1)(IMAGE, rng()), IMAGE[:, ::-1]
    )
    np.testing.assert_array_equal(random_flip("vertical", probability=1)(IMAGE, rng()), IMAGE[::-1])
    np.testing.assert_array_equal(random_flip("vertical", probability=0)(IMAGE, rng()), IMAGE)


def test_noise_has_the_stated_scale_and_is_the_same_in_no_two_pixels():
    middle = np.full((60, 60, 3), 0.5, np.float32)
    noise = random_noise(scale=(0.1, 0.1))(middle, rng()) - 0.5
    assert abs(noise.std() - 0.1) < 0.003 and abs(noise.mean()) < 0.005
    assert len(np.unique(noise)) > 0.9 * noise.size
    scales = [
        (random_noise(scale=(0.02, 0.1))(middle, rng(seed)) - 0.5).std() for seed in range(40)
    ]
    assert 0.015 < min(scales) < 0.035 and 0.085 < max(scales) < 0.105
    np.testing.assert_array_equal(random_noise(scale=(0.0, 0.0))(IMAGE, rng()), IMAGE)


def test_sometimes_has_the_stated_probability():
    black = sometimes(lambda image, rng: np.zeros_like(image), probability=0.9)
    generator = rng()
    times = sum(not black(IMAGE, generator).any() for _ in range(1000))
    assert abs(times - 900) < 5 * 9.5  # five standard deviations


def test_compose_applies_in_order():
    halve_then_add = compose(lambda x, rng: x / 2, lambda x, rng: x + 0.25)
    np.testing.assert_allclose(halve_then_add(IMAGE, rng()), IMAGE / 2 + 0.25)


def test_quarter_turn_is_exact():
    square = IMAGE[:10]
    turned = random_affine(degrees=90)(square, Fixed(1.0))
    np.testing.assert_allclose(turned, np.rot90(square), atol=1e-5)


def test_rotation_matches_scipy_inside():
    turned = random_affine(degrees=20)(IMAGE, Fixed(0.7))
    expected = ndimage.rotate(IMAGE, 14, axes=(1, 0), reshape=False, order=1)
    # OpenCV interpolates at 1/32 of a pixel.
    np.testing.assert_allclose(turned[3:-3, 3:-3], expected[3:-3, 3:-3], atol=0.06)


def test_magnifying_shows_the_middle_larger():
    magnified = random_affine(degrees=0, magnify=(2.0, 2.0))(IMAGE, rng())
    expected = ndimage.affine_transform(
        IMAGE[..., 0], np.full(2, 0.5), offset=(2.75, 2.25), order=1
    )
    np.testing.assert_allclose(magnified[..., 0], expected, atol=1e-5)


def test_translation_moves_by_shares_of_the_sides():
    moved = random_affine(degrees=0, translate=0.5)(IMAGE, Fixed(1.0))
    np.testing.assert_allclose(moved[6:, 5:], IMAGE[:6, :5], atol=1e-6)
    assert not moved[:6].any() and not moved[:, :5].any()


def test_brightness_by_hand():
    image = np.array([[[0.2, 0.6, 0.8]]], np.float32)
    np.testing.assert_allclose(adjust_brightness(image, 1.5), [[[0.3, 0.9, 1.0]]], rtol=1e-6)


def test_contrast_by_hand():
    image = np.array([[[0.2]], [[0.6]]], np.float32)  # mean 0.4
    np.testing.assert_allclose(adjust_contrast(image, 2.0), [[[0.0]], [[0.8]]], atol=1e-6)
    np.testing.assert_allclose(adjust_contrast(image, 0.0), np.full((2, 1, 1), 0.4), atol=1e-6)


def test_contrast_of_colour_pivots_on_mean_luma():
    pivot = (IMAGE @ np.array([0.299, 0.587, 0.114])).mean()
    expected = np.clip(pivot + 1.7 * (IMAGE - pivot), 0, 1)
    np.testing.assert_allclose(adjust_contrast(IMAGE, 1.7), expected, atol=1e-6)


def test_saturation_by_hand():
    image = np.array([[[1.0, 0.0, 0.0]]], np.float32)  # luma 0.299
    np.testing.assert_allclose(adjust_saturation(image, 0.0), np.full((1, 1, 3), 0.299), atol=1e-6)
    np.testing.assert_allclose(
        adjust_saturation(image, 0.5), [[[0.6495, 0.1495, 0.1495]]], atol=1e-6
    )


@pytest.mark.parametrize("turn", [0.3, -0.15, 0.5])
def test_hue_matches_the_standard_library(turn):
    expected = IMAGE.copy()
    for pixel in expected.reshape(-1, 3):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel.tolist())
        pixel[:] = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
    np.testing.assert_allclose(adjust_hue(IMAGE, turn), expected, atol=1e-4)


def test_colours_of_grey_images_are_kept():
    np.testing.assert_array_equal(adjust_hue(GREY, 0.2), GREY)
    np.testing.assert_array_equal(adjust_saturation(GREY, 0.2), GREY)


def test_default_jitter_is_the_identity():
    np.testing.assert_allclose(color_jitter()(IMAGE, rng()), IMAGE, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: random_crop(padding=-1), "padding: expected 0 or more pixels, got -1"),
        (lambda: random_crop(padding=2.5), "padding: expected 0 or more pixels, got 2.5"),
        (lambda: random_noise(scale=0.1), "scale: expected an ascending range .*, got 0.1"),
        (lambda: random_noise(scale=(0.0, np.inf)), "scale: expected an ascending range"),
        (lambda: color_jitter(contrast=(1.0, "a")), "contrast: expected an ascending range"),
        (lambda: color_jitter(hue=None), "hue: expected a real number, got None"),
        (lambda: random_affine(degrees=np.nan), "degrees and translate: expected 0 or more"),
        (lambda: random_affine(degrees="a"), "degrees: expected a real number, got 'a'"),
        (lambda: random_flip("vertical", probability=(0, 1)), "probability: expected one number"),
        (
            lambda: random_flip("sideways"),
            "direction: expected one of 'horizontal', 'vertical', got 'sideways'",
        ),
        (
            lambda: random_flip("vertical", probability=1.5),
            r"probability: expected a number in \[0, 1\], got 1.5",
        ),
        (
            lambda: sometimes(random_crop(padding=1), probability=-0.1),
            r"probability: expected a number in \[0, 1\], got -0.1",
        ),
        (
            lambda: random_affine(degrees=-5),
            "degrees and translate: expected 0 or more, got -5 and 0.0",
        ),
        (
            lambda: random_affine(degrees=5, magnify=(0.0, 1.0)),
            r"magnify: expected an ascending range.*got \(0.0, 1.0\)",
        ),
        (
            lambda: random_noise(scale=(0.2, 0.1)),
            r"scale: expected an ascending range of 0 or more, got \(0.2, 0.1\)",
        ),
        (
            lambda: color_jitter(contrast=(2.0, 1.0)),
            r"contrast: expected an ascending range.*got \(2.0, 1.0\)",
        ),
        (
            lambda: color_jitter(brightness=(-1.0, 1.0)),
            "brightness: expected an ascending range of factors from 0",
        ),
        (lambda: color_jitter(hue=0.6), r"hue: expected a number in \[0, 0.5\] turns, got 0.6"),
    ],
)
def test_wrong_options_are_explained(make, message):
    with pytest.raises(InputError, match=message):
        make()
