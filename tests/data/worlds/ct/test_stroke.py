import functools

import numpy as np

from cfx_jax.data.worlds.ct import SIDES, levels_of, stroke_scene
from cfx_jax.data.worlds.world import stream


def scene(side, index=0):
    streams = functools.partial(stream, 3, index)
    return stroke_scene(streams, 64, levels_of(11), finding=SIDES.index(side), severity=1.0)


def test_infarct_changes_brain_tissue_only_and_the_head_not_at_all():
    left, right = scene("left"), scene("right")
    np.testing.assert_array_equal(left.healthy, right.healthy)
    np.testing.assert_array_equal(left.given["territory_mask"], right.given["territory_mask"])
    for each in (left, right):
        changed = each.diseased != each.healthy
        assert (each.diseased <= each.healthy).all() and changed[each.lesion].mean() > 0.9
        assert not changed[~each.of_finding["region_mask"]].any()


def test_left_infarct_of_two_is_that_of_the_same_head_with_one():
    for index in range(4):
        both, left = scene("both", index), scene("left", index)
        in_left = (left.given["territory_mask"] > 0) & (left.given["territory_mask"] <= 3)
        np.testing.assert_array_equal(both.lesion & in_left, left.lesion)
        assert (both.lesion & ~in_left).any() and both.of_finding[
            "infarct_size"
        ] >= left.of_finding["infarct_size"]
