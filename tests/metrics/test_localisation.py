"""Localisation of maps by hand, by brute force, by closed forms and by chance."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
import skimage.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfx_jax.errors import InputError
from cfx_jax.maps import quantile_threshold
from cfx_jax.metrics import (
    above_percentile,
    dice,
    false_discovery_rate,
    intersection_over_union,
    localisation_auc,
    macro_average,
    mask_kappa,
    pointing_game,
    precision,
    recall,
    relevance_mass,
    top_pixels,
)

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
    """Of 101 ranks each is a percentile, also where an interpolated one would be rounded past
    it.
    """
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


ALL = (intersection_over_union, dice, precision, recall, false_discovery_rate, mask_kappa)
EMPTY, FULL, HALF = (
    np.zeros((2, 2), bool),
    np.ones((2, 2), bool),
    np.asarray([[1, 1], [0, 0]], bool),
)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (intersection_over_union, 1 / 4),
        (dice, 2 / 5),
        (precision, 1 / 2),
        (recall, 1 / 3),
        (false_discovery_rate, 1 / 2),
        # Agreement 3/6; by chance (2 * 3 + 4 * 3) / 36 = 1/2.
        (mask_kappa, 0),
    ],
)
def test_by_hand(overlap, expected):
    predicted = np.asarray([[1, 1, 0], [0, 0, 0]], bool)
    truth = np.asarray([[0, 1, 1], [1, 0, 0]], bool)
    assert overlap(predicted, truth) == pytest.approx(expected)


@pytest.mark.parametrize("overlap", [intersection_over_union, dice, precision, recall])
def test_a_mask_meets_itself_wholly_and_its_complement_not_at_all(overlap):
    assert overlap(HALF, HALF) == 1
    assert overlap(HALF, ~HALF) == 0


def _by_loops(predicted, truth):
    table = {(p, t): 0 for p in (False, True) for t in (False, True)}
    for p, t in zip(predicted.ravel(), truth.ravel(), strict=True):
        table[bool(p), bool(t)] += 1
    hits, false, missed, rest = (
        table[True, True],
        table[True, False],
        table[False, True],
        table[False, False],
    )
    total = hits + false + missed + rest
    agreement = (hits + rest) / total
    chance = ((hits + false) * (hits + missed) + (missed + rest) * (false + rest)) / total**2

    def share(part, whole):
        return part / whole if whole else np.nan

    return (
        share(hits, hits + false + missed),
        share(2 * hits, 2 * hits + false + missed),
        share(hits, hits + false),
        share(hits, hits + missed),
        share(false, hits + false),
        share(agreement - chance, 1 - chance),
    )


@settings(max_examples=50, deadline=None)
@given(arrays(bool, (3, 2, 4, 5)), arrays(bool, (3, 2, 4, 5)))
def test_every_overlap_is_that_of_the_confusion_matrix_of_each_image(predicted, truth):
    found = np.stack([overlap(predicted, truth) for overlap in ALL], axis=-1)
    expected = [
        [_by_loops(*pair) for pair in zip(*rows, strict=True)]
        for rows in zip(predicted, truth, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_precision_and_recall_are_those_of_scikit_images_contingency_table():
    rng = np.random.default_rng(1)
    predicted, truth = rng.uniform(size=(2, 40, 40)) < 0.3
    table = skimage.metrics.contingency_table(
        truth.astype(int), predicted.astype(int), normalize=False
    ).toarray()
    assert precision(predicted, truth) == pytest.approx(table[1, 1] / table[:, 1].sum())
    assert recall(predicted, truth) == pytest.approx(table[1, 1] / table[1].sum())


@pytest.mark.parametrize(
    ("overlap", "predicted", "truth", "expected"),
    [
        (intersection_over_union, EMPTY, EMPTY, np.nan),
        (intersection_over_union, EMPTY, FULL, 0),
        (dice, EMPTY, EMPTY, np.nan),
        (dice, HALF, EMPTY, 0),
        (precision, EMPTY, HALF, np.nan),
        (precision, HALF, EMPTY, 0),
        (recall, HALF, EMPTY, np.nan),
        (recall, EMPTY, HALF, 0),
        (false_discovery_rate, EMPTY, HALF, np.nan),
        (false_discovery_rate, HALF, EMPTY, 1),
        (mask_kappa, EMPTY, EMPTY, np.nan),
        (mask_kappa, FULL, FULL, np.nan),
        (mask_kappa, EMPTY, FULL, 0),
        (mask_kappa, HALF, ~HALF, -1),
    ],
)
def test_empty_and_full_masks(overlap, predicted, truth, expected):
    np.testing.assert_array_equal(overlap(predicted, truth), expected)


@pytest.mark.parametrize("both", [EMPTY, FULL])
def test_the_macro_average_of_two_empty_or_two_full_masks_is_undefined(both):
    assert np.isnan(macro_average(intersection_over_union, both, both))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 99), st.sampled_from([50, 80, 90, 95, 98]))
def test_percentiles_score_by_what_is_in_common(seed, size, percentile):
    """With shares a of the region, q kept and i in common."""
    rng = np.random.default_rng(seed)
    truth, maps = rng.permutation(100).reshape(10, 10) < size, rng.permutation(100).reshape(10, 10)
    kept = above_percentile(maps, percentile)
    a, q, i = truth.mean(), kept.mean(), (kept & truth).mean()
    assert q == pytest.approx(1 - percentile / 100)
    assert intersection_over_union(kept, truth) == pytest.approx(i / (a + q - i))
    assert false_discovery_rate(kept, truth) == pytest.approx(1 - i / q)
    assert intersection_over_union(kept, truth) <= min(a, q) / max(a, q) + 1e-12


@pytest.mark.parametrize("size", [1, 20, 99])
def test_a_map_that_is_the_region_meets_it_wholly_at_the_percentile_of_its_size(size):
    truth = np.arange(100).reshape(10, 10) < size
    kept = above_percentile(truth.astype(float), 100 - size)
    assert intersection_over_union(kept, truth) == 1
    assert false_discovery_rate(kept, truth) == 0


def test_random_maps_score_as_chance_says():
    rng = np.random.default_rng(0)
    q, g = 0.04, 0.02
    values = intersection_over_union(
        rng.uniform(size=(50, 224, 224)) < q, rng.uniform(size=(50, 224, 224)) < g
    )
    assert values.mean() == pytest.approx(q * g / (q + g - q * g), rel=0.05)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 59))
def test_masks_of_one_size_have_the_closed_forms_of_their_precision(seed, size):
    """With r the precision and f the region's share of the image."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(60).reshape(6, 10) < size
    predicted = top_pixels(rng.uniform(size=(6, 10)) + rng.uniform() * truth, size)
    r, f = precision(predicted, truth), size / 60
    assert recall(predicted, truth) == r
    assert dice(predicted, truth) == pytest.approx(r)
    assert mask_kappa(predicted, truth) == pytest.approx((r - f) / (1 - f))
    assert macro_average(dice, predicted, truth) == pytest.approx(
        (1 + mask_kappa(predicted, truth)) / 2
    )
    expected = (r / (2 - r) + (1 - 2 * f + f * r) / (1 - f * r)) / 2
    assert macro_average(intersection_over_union, predicted, truth) == pytest.approx(expected)


def test_the_macro_average_of_a_random_volume_is_that_of_chance():
    """A volume counts as one image, whatever its slices hold."""
    rng, share = np.random.default_rng(2), 0.002
    truth, maps = rng.uniform(size=(4, 40, 128, 128)) < share, rng.uniform(size=(4, 40, 128, 128))
    truth[:, :20] = False
    truth, maps = (each.reshape(4, -1, 128) for each in (truth, maps))
    kept, f = top_pixels(maps, truth.sum(axis=(1, 2))), truth.mean()
    assert macro_average(dice, kept, truth).mean() == pytest.approx(0.5, abs=1e-3)
    expected = (f / (2 - f) + (1 - f) / (1 + f)) / 2
    assert macro_average(intersection_over_union, kept, truth).mean() == pytest.approx(
        expected, abs=1e-3
    )


@pytest.mark.parametrize(
    ("common", "iou", "dice_score"),
    [(126, 0.4998, 0.5024), (303, 0.5022, 0.5071)],
    ids=["Grad-CAM", "gradient"],
)
def test_macro_averages_are_those_of_the_published_table(common, iou, dice_score):
    """Rows of Fontanella et al. 2023, table 5: lesions are 0.1887 % of a scan, and the Dice fixes
    what is in common.
    """
    predicted, truth = np.zeros((2, 1000, 10_000), bool)
    truth.flat[:18_870] = True
    predicted.flat[18_870 - common : 2 * 18_870 - common] = True
    assert macro_average(dice, predicted, truth) == pytest.approx(dice_score, abs=1e-4)
    assert macro_average(intersection_over_union, predicted, truth) == pytest.approx(iou, abs=1e-4)


@pytest.mark.parametrize("overlap", ALL)
@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        (
            np.ones((3, 2)),
            np.ones((2, 2)),
            r"predicted: expected the shape of truth \(2, 2\), got \(3, 2\)",
        ),
        (
            np.full((2, 2), 0.5),
            FULL,
            "predicted: expected a mask of 0 and 1, got other values: threshold it first",
        ),
        (FULL, np.full((2, 2), 255), "truth: expected a mask of 0 and 1"),
        (np.full((2, 2), np.nan), FULL, "predicted: expected a mask of 0 and 1"),
        (
            np.ones(2),
            np.ones(2),
            r"predicted: expected \(h, w\) or a batch .* at least one pixel, got \(2,\)",
        ),
    ],
)
def test_what_is_no_pair_of_masks_is_refused(overlap, predicted, truth, message):
    with pytest.raises(InputError, match=message):
        overlap(predicted, truth)


REGION = np.zeros((10, 10), bool)
REGION[2:4, 3:8] = True


def _by_definition(one, region, lowest):
    kept = [above_percentile(one, percentile) for percentile in range(lowest, 101)]
    recalls = [recall(mask, region) for mask in kept] + [0.0]
    return sum(
        precision(mask, region) * (here - above)
        for mask, here, above in zip(kept, recalls[:-1], recalls[1:], strict=True)
    )


@settings(max_examples=20, deadline=None)
@given(
    arrays(
        np.float64, (2, 4, 5), elements=st.one_of(st.floats(-5, 5), st.sampled_from([0.0, 1.0]))
    ),
    arrays(bool, (2, 4, 5)),
    st.sampled_from([0, 1, 80, 100]),
)
def test_the_area_is_its_definition(maps, truth, lowest):
    expected = [_by_definition(*pair, lowest) for pair in zip(maps, truth, strict=True)]
    np.testing.assert_allclose(localisation_auc(maps, truth, lowest=lowest), expected, atol=1e-12)


def test_with_101_pixels_every_pixel_is_a_threshold_and_the_area_is_the_average_precision():
    """Average precision: the mean, over the region's pixels, of the precision among all pixels at
    least as high.
    """
    rng = np.random.default_rng(0)
    values, inside = rng.permutation(101).astype(float)[None], rng.uniform(size=(1, 101)) < 0.3
    expected = np.mean([inside[values >= value].mean() for value in values[inside]])
    assert localisation_auc(values, inside, lowest=0) == pytest.approx(expected)


@pytest.mark.parametrize("lowest", [0, 1, 80, 90])
def test_a_map_that_equals_the_region_scores_one(lowest):
    assert localisation_auc(REGION.astype(float), REGION, lowest=lowest) == 1


def test_a_map_that_ranks_the_region_highest_scores_one_and_lowest_almost_nothing():
    ranking = REGION + np.random.default_rng(1).uniform(0, 0.5, REGION.shape)
    assert localisation_auc(ranking, REGION) == pytest.approx(1)
    # The region's ten pixels come at the places 91 to 100; the lowest of all is below every
    # percentile from 1.
    assert localisation_auc(-ranking, REGION) == pytest.approx(
        sum(k / (90 + k) for k in range(1, 10)) / 10
    )


def test_maps_at_random_have_the_share_of_the_region_and_a_fifth_of_it_from_the_80th_percentile():
    rng = np.random.default_rng(2)
    maps, truth = (
        rng.uniform(size=(60, 100, 100)),
        np.broadcast_to(np.arange(100)[:, None] < 10, (60, 100, 100)),
    )
    assert localisation_auc(maps, truth).mean() == pytest.approx(0.1, rel=0.03)
    assert localisation_auc(maps, truth, lowest=80).mean() == pytest.approx(0.2 * 0.1, rel=0.03)


@pytest.mark.parametrize("lowest", [1, 80])
def test_a_constant_map_has_the_share_of_the_region(lowest):
    assert localisation_auc(np.zeros((10, 10)), REGION, lowest=lowest) == pytest.approx(0.1)


def test_the_area_is_undefined_without_a_region_and_known_by_image():
    maps = np.random.default_rng(3).uniform(size=(2, 2, 10, 10))
    truth = np.broadcast_to(REGION, maps.shape).copy()
    truth[0, 1] = False
    found = localisation_auc(maps, truth)
    assert found.shape == (2, 2)
    np.testing.assert_array_equal(np.isnan(found), [[False, True], [False, False]])
    assert found[1, 0] == localisation_auc(maps[1, 0], REGION)


def test_only_the_order_of_the_values_matters():
    maps = np.random.default_rng(4).uniform(size=(10, 10))
    assert localisation_auc(3 * maps + 2, REGION) == localisation_auc(maps, REGION)


@pytest.mark.parametrize(
    ("maps", "options", "message"),
    [
        (np.ones((3, 2)), {}, r"maps: expected the shape of truth \(10, 10\), got \(3, 2\)"),
        (np.full((10, 10), np.nan), {}, "maps: expected finite values, got NaN"),
        (
            REGION,
            {"lowest": 101},
            r"lowest: expected a percentile, an integer in 0\.\.100, got 101",
        ),
        (REGION, {"lowest": 0.5}, "got 0.5"),
    ],
)
def test_what_has_no_area_is_refused(maps, options, message):
    with pytest.raises(InputError, match=message):
        localisation_auc(maps, REGION, **options)


@pytest.mark.parametrize("lowest", [80.0, -1, 101])
def test_the_lowest_percentile_is_an_integer(lowest):
    with pytest.raises(InputError, match=r"lowest: expected a percentile, an integer in 0\.\.100"):
        localisation_auc(np.ones((2, 2)), np.ones((2, 2), bool), lowest=lowest)


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
