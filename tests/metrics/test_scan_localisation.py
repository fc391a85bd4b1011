"""Overlap of volumes and the hit score by hand, by closed forms and by the published table."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics import VolumeOverlap, above_percentile, hit_score, volume_overlap

RNG = np.random.default_rng(0)
LESION = np.zeros((2, 3, 4), bool)
LESION[1, 1:, 2:] = True


def test_by_hand():
    """Four of 24 voxels are lesion; two of the four highest are among them, the other two in
    another slice.
    """
    volume = np.zeros((2, 3, 4))
    volume[1, 1, 2:] = [9, 8]
    volume[0, 0, :2] = [7, 6]
    found = volume_overlap(volume, LESION)
    assert found == pytest.approx(
        VolumeOverlap(
            iou=2 / 6,
            dice=1 / 2,
            macro_iou=(2 / 6 + 18 / 22) / 2,
            macro_dice=(1 / 2 + 18 / 20) / 2,
            kappa=0.4,
        )
    )


def test_a_volume_that_equals_the_lesion_scores_one_and_its_negative_nothing():
    assert volume_overlap(LESION.astype(float), LESION) == (1, 1, 1, 1, 1)
    found = volume_overlap(-LESION.astype(float), LESION)
    assert (found.iou, found.dice) == (0, 0)
    assert found.kappa == pytest.approx(-4 / 20)


def test_each_scan_has_its_own_percentile_over_all_its_slices():
    """With r the precision and f the lesion's share of the scan."""
    truth = RNG.random((3, 2, 5, 8, 9)) < np.asarray([0.02, 0.1, 0.4]).reshape(3, 1, 1, 1, 1)
    truth[:, :, 0] = False
    volumes = RNG.random(truth.shape) + 0.4 * truth
    found = volume_overlap(volumes, truth)
    assert found.dice.shape == (3, 2)
    for place in np.ndindex(3, 2):
        f, flat = truth[place].mean(), volumes[place].reshape(1, -1)
        # Without ties this percentile lies between the last voxel that is kept and the first that
        # is not.
        kept = above_percentile(flat, 100 * (1 - (truth[place].sum() - 0.5) / (flat.size - 1)))
        assert kept.sum() == truth[place].sum()
        r = truth[place].reshape(1, -1)[kept].mean()
        expected = VolumeOverlap(
            iou=r / (2 - r),
            dice=r,
            macro_iou=(r / (2 - r) + (1 - 2 * f + f * r) / (1 - f * r)) / 2,
            macro_dice=1 / 2 + (r - f) / (1 - f) / 2,
            kappa=(r - f) / (1 - f),
        )
        assert [each[place] for each in found] == pytest.approx(list(expected))


def test_random_volumes_score_as_chance_says():
    truth = np.zeros((6, 20, 64, 64), bool)
    truth[:, 5:9, 20:28, 10:18] = True
    found, f = volume_overlap(RNG.random(truth.shape), truth), truth[0].mean()
    assert found.kappa.mean() == pytest.approx(0, abs=2e-3)
    assert found.macro_dice.mean() == pytest.approx(0.5, abs=1e-3)
    assert found.macro_iou.mean() == pytest.approx((f / (2 - f) + (1 - f) / (1 + f)) / 2, abs=1e-3)


@pytest.mark.parametrize(
    ("hits", "macro_iou", "macro_dice"),
    [(126, 0.4998, 0.5024), (303, 0.5022, 0.5071)],
    ids=["Grad-CAM", "gradient"],
)
def test_the_published_table_is_reached_by_the_hits_that_its_dice_implies(
    hits, macro_iou, macro_dice
):
    """Fontanella et al. 2023, table 5: lesions are 0.1887 % of a scan; so many of 18,870 voxels are
    found.
    """
    truth = np.zeros((10, 1000, 1000), bool)
    truth.flat[:18_870] = True
    volume = np.zeros(truth.shape, np.float32)
    volume.flat[18_870 - hits : 2 * 18_870 - hits] = 1
    found = volume_overlap(volume, truth)
    assert found.macro_iou == pytest.approx(macro_iou, abs=1e-4)
    assert found.macro_dice == pytest.approx(macro_dice, abs=1e-4)


def test_a_scan_without_a_lesion_is_undefined_and_spoils_no_other():
    truth = np.stack([LESION, np.zeros_like(LESION)])
    found = volume_overlap(RNG.random(truth.shape), truth)
    assert all(np.isfinite(each[0]) and np.isnan(each[1]) for each in found)


def test_a_lesion_that_is_everything_has_no_background_to_average():
    found = volume_overlap(RNG.random((2, 3, 4)), np.ones((2, 3, 4), bool))
    assert (found.iou, found.dice) == (1, 1)
    assert np.isnan([found.macro_iou, found.macro_dice, found.kappa]).all()


def test_of_equal_voxels_those_of_the_first_slices_are_kept():
    assert volume_overlap(np.zeros((2, 3, 4)), LESION).dice == 0
    assert volume_overlap(np.zeros((2, 3, 4)), LESION[::-1, ::-1, ::-1]).dice == pytest.approx(
        2 / 4
    )


@pytest.mark.parametrize(
    ("volumes", "truth", "message"),
    [
        (
            np.ones((3, 4)),
            LESION,
            r"volumes: expected \(s, h, w\) or a batch .* at least one voxel, got \(3, 4\)",
        ),
        (np.ones((2, 3, 4)), LESION[0], r"truth: expected \(s, h, w\) or a batch .*, got \(3, 4\)"),
        (
            np.ones((0, 3, 4)),
            LESION[:0],
            r"volumes: expected .* at least one voxel, got \(0, 3, 4\)",
        ),
        (np.ones((2, 2, 4)), LESION, r"maps: expected the shape of truth \(6, 4\), got \(4, 4\)"),
        (np.where(LESION, np.nan, 0), LESION, "maps: expected finite values, got NaN or infinity"),
        (
            np.ones((2, 3, 4)),
            np.full((2, 3, 4), 2),
            "truth: expected a mask of 0 and 1, got other values",
        ),
    ],
)
def test_what_is_no_volume_with_its_lesion_is_refused(volumes, truth, message):
    with pytest.raises(InputError, match=message):
        volume_overlap(volumes, truth)


def test_no_volumes_have_no_overlap():
    assert volume_overlap(np.zeros((0, 2, 3, 4)), np.zeros((0, 2, 3, 4), bool)).dice.shape == (0,)


ATLAS = np.zeros((2, 4, 6), int)
ATLAS[1, :3] = np.arange(1, 7)
"""The second slice has the six territories as columns, and one row of none."""


def pointing_at(column, *, slice_index=1):
    volume = np.zeros((2, 4, 6))
    volume[slice_index, 0, column] = 1
    return volume


def test_a_hit_is_the_highest_voxel_of_the_whole_scan_in_the_territory_of_its_lesion():
    """Scans 0 and 1 point rightly, 2 at another territory, 3 at another slice, though second best
    at the right place.
    """
    volumes = np.stack(
        [pointing_at(0), pointing_at(5), pointing_at(1), 2 * pointing_at(3, slice_index=0)]
    )
    volumes[3, 1, 0, 3] = 1
    found = hit_score(volumes, np.stack([ATLAS] * 4), np.asarray([1, 6, 3, 4]))
    np.testing.assert_array_equal(found.hits, [True, True, False, False])
    assert found[:4] == (0.5, 2, 2, 0)


def test_flat_maps_are_misses_even_where_the_first_voxel_is_right():
    """The first voxel, which an arg-max would choose, is of territory 0."""
    volumes = np.stack([np.zeros((2, 4, 6)), np.full((2, 4, 6), 3.0), pointing_at(0)])
    found = hit_score(volumes, np.stack([ATLAS] * 3), np.asarray([0, 0, 1]))
    np.testing.assert_array_equal(found.hits, [False, False, True])
    assert found[:4] == (1 / 3, 1, 2, 2)


def test_tied_voxels_hit_where_all_lie_in_the_territory():
    inside, outside = pointing_at(2), pointing_at(2)
    inside[1, 2, 2], outside[1, 2, 3] = 1, 1
    found = hit_score(np.stack([inside, outside]), np.stack([ATLAS] * 2), np.asarray([3, 3]))
    np.testing.assert_array_equal(found.hits, [True, False])
    assert found.num_flat == 0


def test_maps_at_random_hit_as_often_as_the_territory_is_large():
    rng = np.random.default_rng(0)
    territories = rng.integers(1, 7, 4000)
    found = hit_score(
        rng.random((4000, 2, 4, 6)), np.broadcast_to(ATLAS, (4000, 2, 4, 6)), territories
    )
    assert found.score == pytest.approx(3 / 48, abs=0.012)
    assert found.num_hits + found.num_misses == 4000 and found.num_hits == found.hits.sum()


@pytest.mark.parametrize(
    ("volumes", "atlas", "territories", "message"),
    [
        (
            np.ones((1, 2, 4, 6)),
            ATLAS[None],
            [1, 2],
            r"one number for each .* got shapes \(2,\) and \(1, 2, 4, 6\)",
        ),
        (
            np.ones((2, 4, 6)),
            ATLAS,
            [1, 2],
            r"of the atlas \(n, s, h, w\), got shapes \(2,\) and \(2, 4, 6\)",
        ),
        (
            np.ones((0, 2, 4, 6)),
            ATLAS[None][:0],
            [],
            r"at least one scan .* got shapes \(0,\) and \(0, 2, 4, 6\)",
        ),
        (
            np.ones((1, 2, 4, 5)),
            ATLAS[None],
            [1],
            r"volumes: expected the shape of atlas \(1, 2, 4, 6\), got",
        ),
        (
            np.full((1, 2, 4, 6), np.nan),
            ATLAS[None],
            [1],
            "maps: expected finite values, got NaN or infinity",
        ),
        (
            np.ones((1, 2, 4, 6)),
            ATLAS[None],
            [7],
            "numbers that the atlas has, got 7 for scan 0, which has no such",
        ),
    ],
)
def test_what_has_no_hit_score_is_refused(volumes, atlas, territories, message):
    with pytest.raises(InputError, match=message):
        hit_score(volumes, atlas, np.asarray(territories))
