import functools

import numpy as np

from cfx_jax.data.worlds.ct import levels_of, pneumonia_scene
from cfx_jax.data.worlds.world import stream


def scene(grade):
    streams = functools.partial(stream, 3, 0)
    return pneumonia_scene(streams, 64, levels_of(11), finding=grade, severity=1.0)


def test_glass_changes_the_lungs_only_and_the_chest_not_at_all():
    mild, severe = scene(1), scene(4)
    np.testing.assert_array_equal(mild.healthy, severe.healthy)
    np.testing.assert_array_equal(mild.given["lung_mask"], severe.given["lung_mask"])
    for each in (mild, severe):
        assert (each.diseased >= each.healthy).all() and not (
            each.lesion & ~each.given["lung_mask"]
        ).any()
        assert (each.diseased > each.healthy)[each.lesion].all()


def test_higher_grade_holds_the_patches_of_a_lower_one():
    mild, severe = scene(1), scene(4)
    assert severe.lesion.sum() > 3 * mild.lesion.sum() and severe.lesion[mild.lesion].all()
