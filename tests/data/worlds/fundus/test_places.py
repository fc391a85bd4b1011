import numpy as np

from cfx_jax.data.worlds.fundus import sample_anatomy
from cfx_jax.data.worlds.fundus.places import sample_places


def test_places_are_inside_the_field_and_off_the_disc():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        eye = sample_anatomy(rng)
        places = sample_places(rng, eye, 20, spread=0.5)
        assert (np.hypot(*places.T) < 0.87).all()
        assert (np.hypot(*(places - eye.disc).T) > eye.disc_radius).all()


def test_the_number_asked_for_is_found():
    rng = np.random.default_rng(0)
    for number in (0, 1, 30):
        assert sample_places(rng, sample_anatomy(rng), number, spread=0.4).shape == (number, 2)


def test_spread_is_the_deviation_around_the_fovea():
    rng = np.random.default_rng(0)
    eye = sample_anatomy(rng)
    assert np.allclose(
        (sample_places(rng, eye, 4000, spread=0.15) - eye.fovea).std(0), 0.15, rtol=0.05
    )
