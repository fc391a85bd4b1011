"""Fréchet distance against closed forms and SciPy's root of a matrix, kernel distance against a
double loop.
"""

import numpy as np
import pytest
import scipy.linalg

from cfx_jax.errors import InputError
from cfx_jax.metrics import (
    distribution,
    frechet_distance,
    gaussian_distance,
    gaussian_of,
    kernel_distance,
)

RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(6, 6))
FIRST, SECOND = RNG.normal(size=(200, 6)), RNG.normal(size=(90, 6)) @ MIX + 0.3


def standardised(values):
    """Mean 0 and sample standard deviation 1."""
    return (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)


def by_root(first, second):
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = scipy.linalg.sqrtm(one @ two).real
    return np.sum((first.mean(0) - second.mean(0)) ** 2) + np.trace(one + two - 2 * root)


def test_gaussians_in_one_dimension():
    """(0 - 2)^2 + (1 - 3)^2 = 8."""
    first, second = (
        standardised(RNG.normal(size=(50, 1))),
        2 + 3 * standardised(RNG.normal(size=(70, 1))),
    )
    assert frechet_distance(first, second) == pytest.approx(8)


def test_frechet_matches_the_root_of_the_product():
    assert frechet_distance(FIRST, SECOND) == pytest.approx(by_root(FIRST, SECOND), rel=1e-8)


def test_images_that_occur_several_times_are_counted_and_not_copied():
    counts = np.random.default_rng(5).integers(0, 4, len(FIRST))
    distance = gaussian_distance(gaussian_of(FIRST, counts=counts), gaussian_of(SECOND))
    assert distance == pytest.approx(by_root(np.repeat(FIRST, counts, axis=0), SECOND), rel=1e-8)


def test_frechet_is_exact_for_fewer_images_than_features():
    """Covariances on two orthogonal lines have no overlap: the traces add up, whatever the other
    features do.
    """
    first, second = np.zeros((3, 50)), np.zeros((4, 50))
    first[:, 0], second[:, 1] = [-1, 0, 1], [-1, 1, -1, 1]
    assert frechet_distance(first, second) == pytest.approx(1 + 4 / 3)
    assert frechet_distance(first, first + 2) == pytest.approx(4 * 50)


def test_frechet_of_equal_sets_is_zero_and_both_are_symmetric():
    wide = RNG.normal(size=(20, 100))
    assert frechet_distance(wide, wide[::-1]) < 1e-10
    assert frechet_distance(FIRST, SECOND) == pytest.approx(frechet_distance(SECOND, FIRST))
    assert kernel_distance(FIRST, SECOND) == pytest.approx(kernel_distance(SECOND, FIRST))


@pytest.mark.parametrize("function", [frechet_distance, kernel_distance])
def test_a_rotation_of_the_features_changes_nothing(function):
    rotation = np.linalg.qr(MIX)[0]
    assert function(FIRST @ rotation, SECOND @ rotation) == pytest.approx(function(FIRST, SECOND))


@pytest.mark.parametrize("rows_at_once", [17, 1024])
def test_kernel_distance_matches_its_definition(monkeypatch, rows_at_once):
    monkeypatch.setattr(distribution, "_ROWS_AT_ONCE", rows_at_once)

    def mean(first, second, same):
        pairs = [
            (x @ y / 6 + 1) ** 3
            for i, x in enumerate(first)
            for j, y in enumerate(second)
            if not (same and i == j)
        ]
        return np.mean(pairs)

    expected = (
        mean(FIRST, FIRST, True) + mean(SECOND, SECOND, True) - 2 * mean(FIRST, SECOND, False)
    )
    assert kernel_distance(FIRST, SECOND) == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_has_no_bias():
    values = [kernel_distance(*RNG.normal(size=(2, 12, 4))) for _ in range(500)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0 < kernel_distance(FIRST, FIRST + 1)


def test_constant_features_have_no_covariance_but_a_place():
    ones, threes = np.ones((4, 2)), np.full((3, 2), 3.0)
    assert frechet_distance(ones, threes) == pytest.approx(8)
    # Kernels (2/2 + 1)^3, (18/2 + 1)^3 and (6/2 + 1)^3.
    assert kernel_distance(ones, threes) == pytest.approx(8 + 1000 - 2 * 64)
    assert frechet_distance(ones, ones) == kernel_distance(ones, ones) == 0


@pytest.mark.parametrize("function", [frechet_distance, kernel_distance])
def test_features_that_do_not_match_are_refused(function):
    with pytest.raises(InputError, match="second: expected the 6 features of first, got 5"):
        function(FIRST, SECOND[:, :5])
    with pytest.raises(
        InputError, match=r"first: expected rows \(n, d\) of at least 2 images, got shape \(1, 6\)"
    ):
        function(FIRST[:1], SECOND)
    with pytest.raises(InputError, match="second: expected finite numbers, got 540 of 540"):
        function(FIRST, np.nan * SECOND)


@pytest.mark.parametrize(
    ("features", "counts", "message"),
    [
        (np.zeros(3), None, r"features: expected rows \(n, d\) of at least 2 images"),
        (np.zeros((1, 2)), None, "features: .* at least 2 images"),
        (np.full((3, 2), np.nan), None, "features: expected finite numbers"),
        (np.zeros((3, 2)), np.array([1, 1]), r"counts: .* each of the 3 images, got .* \(2,\)"),
        (np.zeros((3, 2)), np.array([1, 1, -1]), "counts: expected a whole number of at least 0"),
        (np.zeros((3, 2)), np.array([0.5, 1, 1]), "counts: expected a whole number"),
        (np.zeros((3, 2)), np.array([0, 1, 0]), "counts: expected at least two images in all"),
    ],
)
def test_a_gaussian_of_what_is_no_set_of_features_is_refused(features, counts, message):
    with pytest.raises(InputError, match=message):
        gaussian_of(features, counts=counts)
