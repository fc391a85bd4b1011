"""The hit score by hand: six territories, ties and flat maps."""

import numpy as np
import pytest

from cfx_jax.errors import InputError
from cfx_jax.metrics.hit_score import hit_score

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
