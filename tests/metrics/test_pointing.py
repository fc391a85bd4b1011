"""The pointing game and the relevance mass by hand and by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfx_jax.errors import InputError
from cfx_jax.metrics.localisation import precision
from cfx_jax.metrics.pointing import pointing_game, relevance_mass
from cfx_jax.metrics.thresholding import top_pixels

RAMP = np.arange(12.0).reshape(3, 4)
CORNER = np.asarray([[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]], bool)


def test_a_hit_is_a_highest_pixel_in_the_region():
    np.testing.assert_array_equal(
        pointing_game(np.stack([RAMP, -RAMP]), np.stack([CORNER, CORNER])), [1, 0]
    )
    assert pointing_game(-RAMP, ~CORNER) == 1


def test_the_hit_score_over_regions_of_an_atlas():
    """Six regions of equal size: a map that always points at region 2 is right for the images with
    a lesion there.
    """
    atlas = np.repeat(np.arange(6), 4).reshape(6, 4)
    maps = np.broadcast_to(atlas == 2, (9, 6, 4)) + np.random.default_rng(0).uniform(
        0, 0.1, (9, 6, 4)
    )
    numbers = np.asarray([2, 0, 1, 2, 3, 4, 5, 2, 1])
    hits = pointing_game(maps, atlas == numbers[:, None, None])
    np.testing.assert_array_equal(hits, numbers == 2)
    assert hits.mean() == pytest.approx(3 / 9)


def test_a_constant_map_is_a_miss_even_where_the_region_is_everything():
    constant, everywhere = np.full((3, 4), 2.0), np.ones((3, 4), bool)
    assert pointing_game(constant, CORNER) == 0
    assert pointing_game(constant, everywhere) == 0
    assert pointing_game(RAMP, everywhere) == 1


def test_tied_pixels_hit_only_where_all_of_them_do():
    tied = CORNER.astype(float)
    assert pointing_game(tied, CORNER) == 1
    tied[0, 0] = 1
    assert pointing_game(tied, CORNER) == 0


def test_without_a_region_there_is_neither_hit_nor_miss():
    empty = np.zeros((3, 4), bool)
    assert np.isnan(pointing_game(RAMP, empty))
    assert np.isnan(pointing_game(RAMP, empty, tolerance=2))


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, (2, 5, 6), elements=st.integers(0, 3)),
    arrays(bool, (2, 5, 6)),
    st.sampled_from([0, 1, 1.5, 3]),
)
def test_the_pointing_game_is_that_of_all_distances(maps, truth, tolerance):
    found = pointing_game(maps, truth, tolerance=tolerance)
    for one, region, hit in zip(maps, truth, found, strict=True):
        places = np.argwhere(region)
        if not len(places):
            assert np.isnan(hit)
            continue
        near = [
            np.linalg.norm(places - point, axis=1).min() <= tolerance
            for point in np.argwhere(one == one.max())
        ]
        assert hit == (all(near) and one.min() < one.max())


def test_relevance_mass_by_hand():
    assert relevance_mass(RAMP, CORNER) == pytest.approx((10 + 11) / 66)
    assert relevance_mass(CORNER.astype(float), CORNER) == 1
    assert relevance_mass(CORNER.astype(float), ~CORNER) == 0


def test_relevance_mass_does_not_know_the_scale_and_a_constant_map_has_the_share_of_the_region():
    rng = np.random.default_rng(0)
    maps, truth = rng.uniform(size=(4, 3, 4)), rng.uniform(size=(4, 3, 4)) < 0.5
    np.testing.assert_allclose(relevance_mass(1e-6 * maps, truth), relevance_mass(maps, truth))
    np.testing.assert_allclose(relevance_mass(np.ones((4, 3, 4)), truth), truth.mean(axis=(1, 2)))


def test_the_mass_of_a_zero_map_and_that_in_an_empty_region_are_undefined():
    assert np.isnan(relevance_mass(np.zeros((3, 4)), CORNER))
    assert np.isnan(relevance_mass(RAMP, np.zeros((3, 4), bool)))
    empty_and_corner = np.stack([np.zeros((3, 4), bool), CORNER])
    np.testing.assert_allclose(
        relevance_mass(np.stack([RAMP, RAMP]), empty_and_corner), [np.nan, 21 / 66]
    )


def test_rank_accuracy_of_the_docstring():
    """Of the two highest pixels (11 and 10) both lie in the corner; of the ten highest, eight lie
    outside of it.
    """
    assert precision(top_pixels(RAMP, CORNER.sum(axis=(-2, -1))), CORNER) == 1
    assert precision(top_pixels(RAMP, (~CORNER).sum(axis=(-2, -1))), ~CORNER) == 0.8


def test_a_volume_is_scored_as_one_tall_image():
    """The highest voxel of the whole scan counts, not one for each slice."""
    volumes, lesions = np.zeros((1, 2, 3, 4)), np.zeros((1, 2, 3, 4), bool)
    volumes[0, 0, 1, 1], volumes[0, 1, 2, 2] = 1, 2
    lesions[0, 1, 2, 2] = True
    tall = [each.reshape(1, -1, 4) for each in (volumes, lesions)]
    np.testing.assert_array_equal(pointing_game(*tall), [1])
    np.testing.assert_allclose(relevance_mass(*tall), [2 / 3])


@pytest.mark.parametrize("metric", [pointing_game, relevance_mass])
@pytest.mark.parametrize(
    ("maps", "truth", "message"),
    [
        (RAMP.T, CORNER, r"maps: expected the shape of truth \(3, 4\), got \(4, 3\)"),
        (
            np.where(CORNER, np.nan, RAMP),
            CORNER,
            "maps: expected finite values, got NaN or infinity",
        ),
        (RAMP, RAMP, "truth: expected a mask of 0 and 1, got other values: threshold it first"),
    ],
)
def test_what_is_no_map_with_its_region_is_refused(metric, maps, truth, message):
    with pytest.raises(InputError, match=message):
        metric(maps, truth)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(InputError, match="tolerance: expected a number of at least 0, got -1"):
        pointing_game(RAMP, CORNER, tolerance=-1)


def test_signed_maps_have_no_mass():
    with pytest.raises(
        InputError, match=r"maps: expected values of at least 0, got -11: sum absolute values"
    ):
        relevance_mass(-RAMP, CORNER)
