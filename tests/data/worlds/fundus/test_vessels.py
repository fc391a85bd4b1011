import numpy as np

from cfx_jax.data.worlds.drawing import unit_grid
from cfx_jax.data.worlds.fundus import eye_coverage, sample_anatomy, vessel_transmission

EYES = [sample_anatomy(np.random.default_rng(i)) for i in range(10)]


def transmission_of(eye, size=64, seed=0):
    return vessel_transmission(np.random.default_rng(seed), eye, eye.frame(size))


def test_vessels_only_dim_and_blue_most():
    for eye in EYES:
        transmission = transmission_of(eye)
        assert transmission.min() > 0 and transmission.max() <= 1
        red, _, blue = transmission.mean((0, 1))
        assert blue < red


def test_vessels_cover_a_plausible_share_of_the_eye():
    for eye in EYES:
        inside = eye_coverage(eye.frame(224)) == 1
        assert 0.04 < (transmission_of(eye, 224)[inside][:, 1] < 0.8).mean() < 0.25


def test_fovea_is_free_of_vessels_and_the_disc_is_not():
    for eye in EYES:
        x, y = unit_grid(eye.frame(64))
        transmission = transmission_of(eye)[..., 1]
        assert transmission[np.hypot(x - eye.fovea[0], y - eye.fovea[1]) < 0.05].min() > 0.9
        assert transmission[np.hypot(x - eye.disc[0], y - eye.disc[1]) < 0.1].min() < 0.6


def test_arcades_pass_above_and_below_the_macula():
    for eye in EYES:
        x, y = unit_grid(eye.frame(64))
        column = np.abs(x - eye.fovea[0]) < 0.1
        dark = 1 - transmission_of(eye)[..., 1]
        above, below = (
            dark * (column & (np.abs(y - eye.fovea[1] + up * 0.6) < 0.25)) for up in (1, -1)
        )
        assert above.max() > 0.2 and below.max() > 0.2


def test_other_seeds_give_other_trees():
    assert np.abs(transmission_of(EYES[0]) - transmission_of(EYES[0], seed=1)).mean() > 0.01
