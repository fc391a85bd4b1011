"""Curves and flips by hand and by a loop over bins."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics.compatibility import compatibility_curve, flipped

RNG = np.random.default_rng(0)


def test_curve_is_mean_and_spread_of_each_bin():
    expected = RNG.integers(10, size=400) / 10 + 0.05
    achieved = np.clip(expected + 0.1 * RNG.normal(size=400), 0, 1)
    curve = compatibility_curve(expected, achieved)
    for k, centre in enumerate(curve.centre):
        own = achieved[np.isclose(expected, centre)]
        assert curve.num_images[k] == len(own)
        np.testing.assert_allclose(
            [curve.mean[k], curve.deviation[k]], [own.mean(), own.std()], rtol=1e-10
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_closed_below_and_the_last_one_above(dtype):
    expected = np.asarray([0, 0.0999, 0.1, 0.3, 0.6, 0.7, 0.9, 1], dtype)
    np.testing.assert_array_equal(
        compatibility_curve(expected, expected).num_images, [2, 1, 0, 1, 0, 0, 1, 1, 0, 2]
    )


def test_empty_bins_are_undefined():
    curve = compatibility_curve(np.asarray([0.1, 0.2]), np.asarray([0.3, 0.5]), num_bins=2)
    np.testing.assert_allclose(curve.mean, [0.4, np.nan])
    np.testing.assert_allclose(curve.deviation, [0.1, np.nan])
    np.testing.assert_allclose(curve.centre, [0.25, 0.75])


def test_flips_by_hand():
    before, after = np.asarray([0.2, 0.4, 0.5, 0.9]), np.asarray([0.5, 0.3, 0.49, 0.8])
    np.testing.assert_array_equal(flipped(before, after), [True, False, True, False])
    np.testing.assert_array_equal(
        flipped(before, after, threshold=0.85), [False, False, False, True]
    )


def test_what_is_no_probability_is_refused():
    half = np.full(2, 0.5)
    with pytest.raises(
        InputError, match=r"after: expected probabilities in \[0, 1\], got \[0.5, 3\]"
    ):
        flipped(half, np.asarray([0.5, 3]))
    with pytest.raises(InputError, match="achieved: expected finite numbers, got 1 of 2"):
        compatibility_curve(half, np.asarray([0.5, np.nan]))
    with pytest.raises(
        InputError, match=r"expected: expected probabilities in \[0, 1\], got \[-1, 0\]"
    ):
        compatibility_curve(np.asarray([-1, 0]), half)
    with pytest.raises(
        InputError, match="threshold: expected a number strictly between 0 and 1, got 1"
    ):
        flipped(half, half, threshold=1)
    with pytest.raises(InputError, match="num_bins: expected an integer of at least 1, got 0"):
        compatibility_curve(half, half, num_bins=0)
    with pytest.raises(
        InputError, match=r"achieved: expected the shape of expected \(2,\), got \(3,\)"
    ):
        compatibility_curve(half, np.zeros(3))
    with pytest.raises(InputError, match=r"after: expected the shape of before \(2,\), got \(3,\)"):
        flipped(half, np.zeros(3))
