import numpy as np

from cfx_jax.data.worlds.brain import add_ventricles, sample_anatomy
from cfx_jax.data.worlds.brain.skull import FLUID
from cfx_jax.data.worlds.brain.ventricles import ventricle_size

HEAD = sample_anatomy(np.random.default_rng(0))._replace(tilt=0.0, level=0.0, atrophy=0.5)
MATTER = np.full((128, 128), 0.55, np.float32)


def dark(anatomy):
    return add_ventricles(MATTER, anatomy, anatomy.frame(128)) < 0.3


def test_ventricles_hold_fluid_and_cover_a_few_per_cent():
    image = add_ventricles(MATTER, HEAD, HEAD.frame(128))
    assert (
        abs(image.min() - FLUID) < 1e-3
        and image.max() <= 0.55 + 1e-6
        and 0.01 < dark(HEAD).mean() < 0.06
    )


def test_both_sides_are_alike():
    centred = HEAD._replace(centre=(0.5, 0.5))
    assert (dark(centred) != dark(centred)[:, ::-1]).mean() < 0.003


def test_they_grow_with_atrophy_and_vanish_upwards():
    sizes = [dark(HEAD._replace(atrophy=atrophy)).sum() for atrophy in (0.0, 0.5, 1.0)]
    assert sizes == sorted(sizes) and sizes[0] < 0.7 * sizes[2]
    top = HEAD._replace(level=0.7)
    assert ventricle_size(top) == 0 and add_ventricles(MATTER, top, top.frame(128)) is MATTER
