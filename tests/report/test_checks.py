"""Every array and number that a report refuses, with the message that says why."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.report.checks import (
    check_choice,
    check_filled,
    check_image,
    check_images,
    check_map,
    check_mask,
    check_share,
)


def test_image_is_clipped_to_the_range_it_may_round_out_of():
    image = np.array([[[-1e-4], [1 + 1e-4]]])
    checked = check_image(image, "x")
    assert checked.dtype == np.float32
    np.testing.assert_array_equal(checked.ravel(), [0, 1])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4)), r"x must have shape \(h, w, 1\) or \(h, w, 3\), got \(4, 4\)"),
        (np.zeros((4, 4, 2)), r"got \(4, 4, 2\)"),
        (np.zeros((0, 4, 3)), r"got \(0, 4, 3\)"),
        (
            np.zeros((4, 4, 3), np.uint8),
            "floating point in .0, 1., got uint8: divide 8-bit values by 255",
        ),
        (np.full((4, 4, 1), np.nan), "x must be finite"),
        (np.full((4, 4, 1), 2.0), r"x must lie in \[0, 1\], got \[2, 2\]"),
    ],
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        check_image(image, "x")


def test_sequence_of_images_needs_its_leading_axis():
    assert check_images(np.zeros((2, 4, 4, 3)), "x").shape == (2, 4, 4, 3)
    with pytest.raises(InputError, match=r"\(n, h, w, 1\) or \(n, h, w, 3\), got \(4, 4, 3\)"):
        check_images(np.zeros((4, 4, 3)), "x")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((3, 4)), r"x must have the shape of its image \(4, 4\), got \(3, 4\)"),
        (np.full((4, 4), np.inf), "x must be finite"),
        (np.full((4, 4), -0.5), "0 where it was thresholded away and positive elsewhere, got -0.5"),
    ],
)
def test_what_is_no_thresholded_map_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        check_map(values, (4, 4), "x", signed=False)


def test_signed_map_may_be_negative():
    assert check_map(np.full((4, 4), -0.5), (4, 4), "x", signed=True).min() == -0.5
    is_kept = np.eye(4, dtype=bool)  # a thresholded map
    np.testing.assert_array_equal(check_map(is_kept, (4, 4), "x", signed=False), np.eye(4))


def test_mask_may_be_boolean_or_zero_and_one():
    ones = np.eye(4)
    np.testing.assert_array_equal(check_mask(ones, (4, 4), "x"), ones.astype(bool))
    with pytest.raises(
        InputError, match="x must be boolean or hold 0 and 1 only, got float64 up to 255"
    ):
        check_mask(255 * ones, (4, 4), "x")
    with pytest.raises(InputError, match="the shape of its image"):
        check_mask(ones, (4, 5), "x")


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(InputError, match=r"x must lie in \[0, 1\]"):
        check_share(value, "x")


def test_unknown_choice_lists_the_known():
    assert check_choice("a", ("a", "b"), "letter") == "a"
    with pytest.raises(InputError, match="unknown letter 'c': choose a or b"):
        check_choice("c", ("a", "b"), "letter")


def test_empty_sequence_is_refused():
    with pytest.raises(InputError, match="at least one of rows is needed, got none"):
        check_filled([], "rows")
