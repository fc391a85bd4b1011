import numpy as np
import pytest

from cfx_jax.data.worlds.chest import Film, expose, film_noise, sample_film, side_marker, tag
from cfx_jax.data.worlds.drawing import Frame, unit_grid

FRAME = Frame(64, (0.5, 0.5), 0.5)
PLAIN = Film(blur=0.0, gain=1.0, contrast=1.0, slope=0.0, noise=0.0)
NOTHING = np.zeros((64, 64), np.float32)
DENSITY = np.random.default_rng(0).random((64, 64), dtype=np.float32)


def picture(density=DENSITY, film=PLAIN, noise=NOTHING, lettering=NOTHING):
    return expose(density, film, noise, lettering, FRAME)


def test_what_is_dense_is_bright_and_faint_densities_come_out_straight():
    ramp = np.tile(np.linspace(0, 1.5, 64, dtype=np.float32), (64, 1))
    row = picture(ramp)[0, :, 0]
    assert (np.diff(row) > 0).all() and row.max() < 1
    np.testing.assert_allclose(row[ramp[0] < 0.6], ramp[0][ramp[0] < 0.6] + 0.03, atol=1e-6)


def test_pictures_stay_in_range():
    for seed in range(20):
        film = sample_film(np.random.default_rng(seed))
        shown = picture(2 * DENSITY, film, film_noise(np.random.default_rng(seed), film, FRAME))
        assert (
            shown.shape == (64, 64, 1)
            and shown.dtype == np.float32
            and shown.min() >= 0
            and shown.max() <= 1
        )


def test_contrast_leaves_the_mid_tone():
    flat = np.full_like(NOTHING, 0.45 - 0.03)
    np.testing.assert_allclose(picture(flat, PLAIN._replace(contrast=1.3)), 0.45, atol=1e-6)


def test_slope_brightens_towards_the_right():
    flat = np.full_like(NOTHING, 0.4)
    row = picture(flat, PLAIN._replace(slope=0.1))[0, :, 0]
    np.testing.assert_allclose(row, 0.43 + 0.04 * unit_grid(FRAME)[0][0], atol=1e-6)


def test_noise_has_the_stated_deviation():
    assert film_noise(
        np.random.default_rng(0), PLAIN._replace(noise=0.02), FRAME
    ).std() == pytest.approx(0.02, rel=0.05)


def test_letters_are_bright_and_apart():
    planted = tag(64)
    assert picture(NOTHING, lettering=planted).max() > 0.6 and 0.002 < (planted > 0).mean() < 0.02
    for seed in range(20):
        marker = side_marker(np.random.default_rng(seed), FRAME)
        assert 0 < (marker > 0).mean() < 0.02 and not ((marker > 0) & (planted > 0)).any()
