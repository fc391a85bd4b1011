import numpy as np

from cfx_jax.data.worlds.chest import sample_anatomy
from cfx_jax.data.worlds.chest.lungs import LEFT, RIGHT, lung_cover, lung_outline

CHESTS = [sample_anatomy(np.random.default_rng(i)) for i in range(30)]


def test_lungs_cover_a_plausible_share_and_lie_on_both_sides():
    for chest in CHESTS:
        cover = lung_cover(chest, chest.frame(64))
        x, _ = chest.grid(chest.frame(64))
        assert cover.min() >= 0 and cover.max() <= 1 and 0.2 < cover.mean() < 0.45
        right, left = cover[x < 0].sum(), cover[x > 0].sum()
        assert 0.8 < right / left < 1.25 and cover[np.abs(x) < 0.05].max() < 0.5


def test_right_dome_of_the_diaphragm_is_higher():
    for chest in CHESTS:
        straight = chest._replace(tilt=0.0)
        lowest = [lung_outline(straight, side)[:, 1].max() for side in (RIGHT, LEFT)]
        assert lowest[0] < lowest[1]


def test_a_deep_breath_moves_the_base_and_leaves_the_apex():
    shallow, deep = (CHESTS[0]._replace(inspiration=value, tilt=0.0) for value in (-0.1, 0.08))
    low, high = lung_outline(shallow, LEFT), lung_outline(deep, LEFT)
    np.testing.assert_allclose(high[:, 1].max() - low[:, 1].max(), 0.18, atol=1e-6)
    np.testing.assert_allclose(high[:, 1].min(), low[:, 1].min(), atol=1e-12)
