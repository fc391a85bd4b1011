import numpy as np

from cfx_jax.data.worlds.brain import (
    Distractors,
    add_distractors,
    sample_anatomy,
    sample_distractors,
)
from cfx_jax.data.worlds.brain.tissue import brain_cover

HEAD = sample_anatomy(np.random.default_rng(0))._replace(tilt=0.0, level=0.1, atrophy=0.4)
FRAME = HEAD.frame(128)
MATTER = np.full((128, 128), 0.5, np.float32)
NONE = Distractors(0, 0, 0, 0, 0, 0)
NEAR_MIDLINE = (
    np.abs((np.arange(128) + 0.5) / 128 - HEAD.centre[0]) < 0.04
)  # where the venous sinus shines


def change(seed=0, anatomy=HEAD, **counts):
    image = add_distractors(
        np.random.default_rng(seed), MATTER, NONE._replace(**counts), anatomy, FRAME
    )
    return np.where(NEAR_MIDLINE, 0, image - MATTER)


def test_every_kind_occurs():
    counts = np.array([sample_distractors(np.random.default_rng(seed)) for seed in range(300)])
    assert ((counts > 0).mean(0) > 0.1).all() and ((counts[:, 1:] == 0).mean(0) > 0.02).all()


def test_without_any_only_the_venous_sinus_shines_at_the_midline():
    sinus = add_distractors(np.random.default_rng(0), MATTER, NONE, HEAD, FRAME) > MATTER
    assert 0 < sinus.mean() < 0.02 and not sinus[:, ~NEAR_MIDLINE].any()


def test_vessels_and_thickenings_brighten_and_cysts_darken():
    for seed in range(10):
        assert change(seed, dots=4).min() > -1e-6 and change(seed, dots=4).max() > 0.2
        assert change(seed, veins=5).max() > 0.15 and change(seed, cysts=2).min() < -0.2
        assert change(seed, thickenings=2).max() > 0.1


def test_thickenings_stay_inside_the_skull():
    outside = brain_cover(HEAD, FRAME) == 0
    assert not change(3, thickenings=4)[outside].any()


def test_plexus_is_bright_on_both_sides_where_there_are_ventricles():
    shining = change(plexus=2) > 0.1
    middle = round(HEAD.centre[0] * 128)
    assert shining[:, :middle].any() and shining[:, middle:].any() and shining.mean() < 0.02
    assert not (change(anatomy=HEAD._replace(level=0.8), plexus=2) > 0.1).any()
