"""Reliability curves by hand, by a loop over bins, and by the calibration error that they add up
to.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from cfx_jax.errors import InputError
from cfx_jax.metrics import expected_calibration_error
from cfx_jax.metrics.reliability import reliability_curve

RNG = np.random.default_rng(0)


def test_by_hand():
    curve = reliability_curve(
        np.asarray([0.1, 0.2, 0.7, 0.9]), np.asarray([0, 1, 1, 1]), num_bins=2
    )
    np.testing.assert_allclose(curve.stated, [0.15, 0.8])
    np.testing.assert_allclose(curve.observed, [0.5, 1])
    np.testing.assert_array_equal(curve.num_images, [2, 2])


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40), st.integers(1, 12)
)
def test_curve_is_that_of_a_loop_over_bins(said, num_bins):
    values, true = (np.asarray(each) for each in zip(*said, strict=True))
    curve = reliability_curve(values, true, num_bins=num_bins)
    edges = np.linspace(0, 1, num_bins + 1)
    for number, (low, high) in enumerate(itertools.pairwise(edges)):
        own = ((values > low) | ((number == 0) & (values == 0))) & (values <= high)
        assert curve.num_images[number] == own.sum()
        if own.any():
            np.testing.assert_allclose(
                [curve.stated[number], curve.observed[number]],
                [values[own].mean(), true[own].mean()],
            )
        else:
            assert np.isnan([curve.stated[number], curve.observed[number]]).all()


@pytest.mark.parametrize("num_classes", [2, 5])
def test_distances_from_the_diagonal_add_up_to_the_calibration_error(num_classes):
    probabilities = softmax(2 * RNG.normal(size=(200, num_classes)), axis=1).astype(np.float32)
    labels = RNG.integers(num_classes, size=200)
    curve = reliability_curve(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)
    total = np.nansum(np.abs(curve.observed - curve.stated) * curve.num_images) / 200
    assert total == pytest.approx(
        float(expected_calibration_error(probabilities, labels)), abs=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_probability_on_an_edge_falls_into_the_lower_bin_in_its_own_precision(dtype):
    edges = np.linspace(0, 1, 11).astype(dtype)
    np.testing.assert_array_equal(
        reliability_curve(edges, np.ones(11), num_bins=10).num_images,
        [2, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    )


def test_certain_statements_may_be_integers_and_rounding_is_cut_off():
    np.testing.assert_array_equal(
        reliability_curve(np.asarray([0, 1, 1]), np.asarray([0, 1, 0])).num_images[[0, -1]], [1, 2]
    )
    rounded = reliability_curve(np.asarray([1.0000001], np.float32), np.ones(1))
    assert (rounded.stated[-1], rounded.observed[-1]) == (1, 1)


@pytest.mark.parametrize(
    ("probabilities", "occurred", "options", "message"),
    [
        (
            np.zeros(0),
            np.zeros(0),
            {},
            r"probabilities: expected one value for each .* got shape \(0,\)",
        ),
        (
            np.full(2, 1.5),
            np.ones(2),
            {},
            r"probabilities: expected probabilities in \[0, 1\], got \[1.5, 1.5\]: apply",
        ),
        (
            np.asarray([0.5, np.nan]),
            np.ones(2),
            {},
            "probabilities: expected finite numbers, got 1 of 2",
        ),
        (
            np.full(2, 0.5),
            np.asarray([0, 2]),
            {},
            r"occurred: expected 0 and 1 \(or booleans\), got 2",
        ),
        (
            np.full(2, 0.5),
            np.ones(3),
            {},
            r"occurred: expected the shape of probabilities \(2,\), got \(3,\)",
        ),
        (
            np.full(2, 0.5),
            np.ones(2),
            {"num_bins": 0},
            "num_bins: expected an integer of at least 1, got 0",
        ),
    ],
)
def test_what_has_no_curve_is_refused(probabilities, occurred, options, message):
    with pytest.raises(InputError, match=message):
        reliability_curve(probabilities, occurred, **options)
