"""Overlaps of masks by hand, by confusion matrices, by closed forms and by chance."""

import numpy as np
import pytest
import skimage.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cfx_jax.errors import InputError
from cfx_jax.metrics.localisation import (
    dice,
    false_discovery_rate,
    intersection_over_union,
    macro_average,
    mask_kappa,
    precision,
    recall,
)
from cfx_jax.metrics.thresholding import above_percentile, top_pixels

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
