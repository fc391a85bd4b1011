import numpy as np

from cfx_jax.data.worlds.chest import Distractors, sample_anatomy, sample_distractors
from cfx_jax.data.worlds.chest.distractors import lung_shadows, overlays

CHEST = sample_anatomy(np.random.default_rng(0))._replace(tilt=0.0, width=1.0)
FRAME = CHEST.frame(64)
NONE = Distractors(0, 0, 0, 0, 0, 0)
X, Y = CHEST.grid(FRAME)


def overlay(seed=0, **counts):
    return overlays(np.random.default_rng(seed), NONE._replace(**counts), CHEST, FRAME)


def shadow(seed=0, **counts):
    return lung_shadows(np.random.default_rng(seed), NONE._replace(**counts), CHEST, FRAME)


def test_every_kind_occurs_and_is_missing_at_times():
    counts = np.array([sample_distractors(np.random.default_rng(seed)) for seed in range(300)])
    assert ((counts > 0).mean(0) > 0.08).all() and ((counts == 0).mean(0) > 0.2).all()


def test_none_asked_for_none_drawn():
    assert not overlay().any() and not shadow().any()


def test_nipples_are_two_small_dots_one_on_each_side():
    for seed in range(20):
        dots = overlay(seed, nipples=2) > 0.02
        assert dots[X < 0].any() and dots[X > 0].any() and dots.mean() < 0.02
        assert (np.abs(X[dots]) > 0.25).all() and (np.abs(Y[dots] - 0.25) < 0.3).all()


def test_tube_lies_in_the_windpipe_and_wires_on_the_chest():
    tube = overlay(tubes=1) > 0.02
    assert tube.any() and (np.abs(X[tube]) < 0.12).all() and (Y[tube] < -0.3).all()
    assert (overlay(wires=3) > 0.1).sum() > (overlay(wires=1) > 0.1).sum() > 5


def test_patches_and_fat_are_soft_and_no_denser_than_opacities():
    for seed in range(20):
        one = shadow(seed, patches=1)
        assert 0.03 < one.max() < 0.16 and (one > 0.02).mean() < 0.06
    fat = shadow(fat_pads=1)
    assert fat.max() > 0.1 and X[np.unravel_index(fat.argmax(), fat.shape)] > 0.3
