"""Thresholds of maps against SciPy, brute force and the published numbers of pixels."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfx_jax.errors import InputError
from cfx_jax.maps import quantile_threshold
from cfx_jax.metrics.thresholding import above_percentile, top_pixels

MAPS = np.random.default_rng(0).normal(size=(3, 224, 224)).astype(np.float32)
FEW_VALUES = arrays(np.float64, (3, 4, 5), elements=st.sampled_from([-1.0, 0.0, 0.5, 2.0]))


@pytest.mark.parametrize(("percentile", "kept"), [(96, 2008), (98, 1004), (0, 50176), (100, 1)])
def test_the_published_number_of_pixels_is_kept(percentile, kept):
    np.testing.assert_array_equal(above_percentile(MAPS, percentile).sum(axis=(1, 2)), kept)


@pytest.mark.parametrize("percentile", [80, 90, 96, 97.5])
def test_the_threshold_is_that_of_one_map_in_jax(percentile):
    expected = jax.vmap(lambda one: quantile_threshold(one, percentile / 100))(jnp.asarray(MAPS))
    np.testing.assert_array_equal(above_percentile(MAPS, percentile), expected)


@pytest.mark.parametrize("percentile", [50, 90, 99])
def test_the_threshold_is_that_of_scipy(percentile):
    for kept, values in zip(
        above_percentile(MAPS, percentile), MAPS.astype(np.float64), strict=True
    ):
        expected = values >= scipy.stats.mstats.mquantiles(
            values.ravel(), percentile / 100, alphap=1, betap=1
        )
        np.testing.assert_array_equal(kept, expected)


@settings(max_examples=50, deadline=None)
@given(FEW_VALUES, st.integers(0, 100))
def test_a_plateau_is_kept_or_left_as_a_whole(maps, percentile):
    kept = above_percentile(maps, percentile)
    for one, mask in zip(maps, kept, strict=True):
        assert not set(one[mask]) & set(one[~mask])
        assert mask.sum() >= 20 - math.ceil(19 * percentile / 100)


def test_a_constant_map_is_kept_whole_and_so_is_one_that_is_mostly_zero():
    assert above_percentile(np.full((4, 4), 7.0), 99).all()
    assert above_percentile(np.eye(20), 90).all()
    np.testing.assert_array_equal(above_percentile(np.eye(20), 96), np.eye(20))


@settings(max_examples=50, deadline=None)
@given(FEW_VALUES, st.lists(st.integers(0, 20), min_size=3, max_size=3))
def test_exactly_the_count_is_kept_and_it_is_the_highest_and_first(maps, counts):
    kept = top_pixels(maps, np.asarray(counts))
    for one, count, mask in zip(maps, counts, kept, strict=True):
        ranked = sorted(range(20), key=lambda pixel: (-one.flat[pixel], pixel))
        np.testing.assert_array_equal(np.flatnonzero(mask), sorted(ranked[:count]))


def test_one_count_serves_all_maps_and_one_map_needs_no_batch():
    np.testing.assert_array_equal(top_pixels(MAPS, 7).sum(axis=(1, 2)), 7)
    np.testing.assert_array_equal(top_pixels(MAPS[0], 7), top_pixels(MAPS, 7)[0])


def test_without_ties_the_percentile_and_the_count_agree():
    np.testing.assert_array_equal(above_percentile(MAPS, 96), top_pixels(MAPS, 2008))


def test_a_percentile_that_falls_on_a_pixel_keeps_it():
    """Of 101 ranks each is a percentile, also where an interpolated one would be rounded past it."""
    ranks = np.random.default_rng(1).permutation(101).astype(float)[None]
    for percentile in range(101):
        np.testing.assert_array_equal(above_percentile(ranks, percentile), ranks >= percentile)


@pytest.mark.parametrize("percentile", [-1, 101, np.nan, None, "95"])
def test_a_percentile_out_of_range_is_refused(percentile):
    with pytest.raises(
        InputError, match=rf"percentile: expected a number in \[0, 100\], got {percentile}"
    ):
        above_percentile(MAPS, percentile)


@pytest.mark.parametrize("threshold", [above_percentile, top_pixels])
@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (
            np.full((2, 2), np.nan),
            "maps: expected finite values, got NaN or infinity: look at how the maps were made",
        ),
        (np.full((2, 2), np.inf), "maps: expected finite values"),
        (np.ones(4), r"maps: expected \(h, w\) or a batch .*, got \(4,\)"),
        (np.ones((3, 0, 4)), "with at least one pixel"),
        (np.ones((2, 2)) * 1j, "maps: expected real numbers, got dtype complex128"),
    ],
)
def test_what_is_no_map_is_refused(threshold, maps, message):
    with pytest.raises(InputError, match=message):
        threshold(maps, 1)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            np.ones(2, int),
            r"counts: expected one number or one for each map \(3,\), got shape \(2,\)",
        ),
        (
            0.5,
            r"counts: expected integers, got dtype float64: use top_pixels\(maps, mask.sum\(\(-2,"
            r" -1\)\)\)",
        ),
        (
            np.asarray([0, 5, 50177]),
            "counts: expected 0 to 50176, the pixels of a map, got 0 to 50177",
        ),
        (-1, "got -1 to -1"),
    ],
)
def test_counts_that_cannot_be_kept_are_refused(counts, message):
    with pytest.raises(InputError, match=message):
        top_pixels(MAPS, counts)


@pytest.mark.parametrize("percentile", [16.1, 32.2, 32.7, 64.4, 64.9])
def test_a_pixel_at_a_fractional_percentile_is_kept(percentile):
    """Of 1,001 pixels 0, 1, ... the p-th percentile is the pixel 10 p."""
    kept = above_percentile(np.arange(1001.0).reshape(7, 143), percentile)
    assert kept.sum() == 1001 - round(10 * percentile)


def test_no_maps_have_no_pixels_above():
    assert above_percentile(np.zeros((0, 3, 4)), 50).shape == (0, 3, 4)
