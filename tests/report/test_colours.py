"""Colours say what they mean: sign, size and which pixels were kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfx_jax.errors import InputError
from cfx_jax.report import signed_colours, signed_difference
from cfx_jax.report.colours import grey, overlay

RNG = np.random.default_rng(0)


def test_grey_is_the_luma_of_the_standard():
    np.testing.assert_allclose(
        grey(np.eye(3, dtype=np.float32)[None])[0], [0.299, 0.587, 0.114], rtol=1e-6
    )
    image = RNG.random((4, 5, 1)).astype(np.float32)
    np.testing.assert_array_equal(grey(image), image[..., 0])


def test_difference_by_hand():
    original = np.full((1, 1, 3), 0.5)
    image = np.array([[[0.6, 0.2, 0.5]]])
    np.testing.assert_allclose(signed_difference(image, original), [[-0.2 / 3]])
    np.testing.assert_allclose(signed_difference(image, original, reduce="max_abs"), [[-0.3]])


def test_difference_of_many_images_is_that_of_each():
    images, original = RNG.random((3, 4, 5, 3)), RNG.random((4, 5, 3))
    for how in ("mean", "max_abs"):
        many = signed_difference(images, original, reduce=how)
        each = np.stack([signed_difference(image, original, reduce=how) for image in images])
        np.testing.assert_array_equal(many, each)


def test_difference_refuses_other_shapes_and_names():
    with pytest.raises(InputError, match=r"equal shapes, got \(4, 4, 3\) and \(4, 4, 1\)"):
        signed_difference(np.zeros((4, 4, 3)), np.zeros((4, 4, 1)))
    with pytest.raises(InputError, match="unknown channel reduction 'sum': choose mean or max_abs"):
        signed_difference(np.zeros((4, 4, 3)), np.zeros((4, 4, 3)), reduce="sum")


@given(value=st.floats(0.01, 1), scale=st.floats(0.01, 2))
def test_more_is_red_and_less_is_blue(value, scale):
    red, blue = signed_colours(np.array([[value, -value]]), scale=scale)[0]
    assert red[0] >= red[2] and blue[2] >= blue[0]


def test_zero_is_nearly_white_and_ends_are_clipped():
    zero, one, two = signed_colours(np.array([[0.0, 1.0, 2.0]]), scale=1.0)[0]
    assert zero.min() > 0.95
    np.testing.assert_array_equal(one, two)


def test_scale_must_be_positive():
    with pytest.raises(InputError, match="scale: expected"):
        signed_colours(np.zeros((2, 2)), scale=0)


def test_overlay_leaves_dropped_pixels_grey_and_colours_kept_ones():
    image = RNG.random((6, 6, 3)).astype(np.float32)
    saliency = np.zeros((6, 6))
    saliency[1, 2], saliency[3, 4] = 0.2, 0.9
    shown = overlay(image, saliency)
    dropped = saliency == 0
    np.testing.assert_allclose(shown[dropped], np.repeat(grey(image)[dropped][:, None], 3, axis=1))
    assert (shown[~dropped][:, 0] - shown[~dropped][:, 2] > 0.5).all()
    assert shown[3, 4, 1] > shown[1, 2, 1] + 0.3  # the higher one is yellow, the lower one red


def test_overlay_does_not_depend_on_the_unit_of_the_map():
    image, saliency = (
        RNG.random((6, 6, 1)).astype(np.float32),
        RNG.random((6, 6)) * (RNG.random((6, 6)) > 0.5),
    )
    np.testing.assert_allclose(overlay(image, saliency), overlay(image, 1000 * saliency), atol=1e-3)


def test_an_empty_mask_leaves_the_image_and_a_full_one_has_one_colour_between_red_and_yellow():
    image = np.full((3, 3, 1), 0.5, np.float32)
    np.testing.assert_allclose(
        overlay(image, np.zeros((3, 3), bool)), np.full((3, 3, 3), 0.5), atol=1e-6
    )
    shown = overlay(image, np.ones((3, 3), bool))
    assert np.ptp(shown, axis=(0, 1)).max() == 0
    red, green, blue = shown[0, 0]
    assert red > 0.5 and red > green > blue
