import numpy as np

from cfx_jax.data.worlds.brain import sample_anatomy

HEADS = [sample_anatomy(np.random.default_rng(i)) for i in range(300)]


def test_a_straight_low_slice_is_placed_as_described():
    points = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(HEADS[0]._replace(tilt=0.0, level=0.0).place(points), points)


def test_slices_shrink_towards_the_top():
    size = [
        np.abs(HEADS[0]._replace(level=level).place(HEADS[0].ring(0.0))).max()
        for level in (0.0, 0.5, 1.0)
    ]
    assert size[0] > size[1] > size[2] > 0.7 * size[0]


def test_rings_lie_inside_each_other_and_the_forehead_is_narrow():
    for head in HEADS[:20]:
        skin, brain = head.ring(0.0), head.ring(0.14)
        assert (np.hypot(*brain.T) < np.hypot(*skin.T)).all()
        width = [np.ptp(skin[np.abs(skin[:, 1] - place) < 0.1, 0]) for place in (-0.6, 0.6)]
        assert width[0] < width[1]


def test_whole_heads_lie_inside_the_picture():
    for head in HEADS:
        share = np.array(head.centre) + head.place(head.ring(0.0)) * head.radius
        assert share.min() > 0 and share.max() < 1
