"""The area under precision and recall against its definition, average precision, and chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfx_jax.errors import InputError
from cfx_jax.metrics.localisation import precision, recall
from cfx_jax.metrics.localisation_auc import localisation_auc
from cfx_jax.metrics.thresholding import above_percentile

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
