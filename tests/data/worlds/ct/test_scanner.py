import numpy as np
import pytest

from cfx_jax.data.worlds.ct import acquire, disturbances, levels_of, sample_scanner
from cfx_jax.data.worlds.ct.scanner import Scanner
from cfx_jax.data.worlds.drawing import whole_picture

FRAME, LEVELS = whole_picture(64), levels_of(5)
PLAIN = Scanner(
    blur=0.0, overlap=0.0, offset=0.0, noise=0.0, motion=0.0, streaks=0.0, disturbed=0.5
)
SCENE = np.random.default_rng(0).random((5, 64, 64), dtype=np.float32)
QUIET = np.zeros_like(SCENE)


def taken(**options):
    return acquire(SCENE, PLAIN._replace(**options), QUIET, FRAME, LEVELS)[..., 0]


def test_plain_scanner_shows_the_scene():
    np.testing.assert_allclose(taken(), SCENE, atol=1e-6)


def test_scans_stay_in_range():
    for seed in range(10):
        scanner = sample_scanner(np.random.default_rng(seed), noise=(0.02, 0.1))
        noise = disturbances(np.random.default_rng(seed), scanner, FRAME, LEVELS)
        shown = acquire(1.4 * SCENE - 0.2, scanner, noise, FRAME, LEVELS)
        assert (
            shown.shape == (5, 64, 64, 1)
            and shown.dtype == np.float32
            and shown.min() >= 0
            and shown.max() <= 1
        )


def test_thick_slices_show_their_neighbours():
    thick = taken(overlap=0.1)
    np.testing.assert_allclose(thick[2], 0.8 * SCENE[2] + 0.1 * (SCENE[1] + SCENE[3]), atol=1e-6)
    np.testing.assert_allclose(thick[0], 0.9 * SCENE[0] + 0.1 * SCENE[1], atol=1e-6)


def test_motion_doubles_the_contours_of_one_slice():
    moved = taken(motion=4 / 32)
    np.testing.assert_allclose(np.delete(moved, 2, 0), np.delete(SCENE, 2, 0), atol=1e-6)
    expected = 0.5 * SCENE[2, :, 4:-4] + 0.25 * (SCENE[2, :, :-8] + SCENE[2, :, 8:])
    np.testing.assert_allclose(moved[2, :, 4:-4], expected, atol=1e-6)


def test_blur_stays_within_a_slice():
    scene = np.zeros_like(SCENE)
    scene[2, 32, 32] = 1.0
    blurred = acquire(scene, PLAIN._replace(blur=0.05), QUIET, FRAME, LEVELS)[..., 0]
    assert 0 < blurred[2, 32, 32] < 0.3 and not blurred[[0, 1, 3, 4]].any()


def test_noise_has_its_size_and_spares_the_air():
    scanner = PLAIN._replace(noise=0.05)
    noise = disturbances(np.random.default_rng(0), scanner, FRAME, LEVELS)
    assert noise.std() == pytest.approx(0.05, rel=0.03) and abs(noise.mean()) < 0.003
    half = np.zeros_like(SCENE)
    half[:, :, 32:] = 0.5
    shown = acquire(half, scanner, noise, FRAME, LEVELS)[..., 0]
    assert not shown[:, :, :32].any() and shown[:, :, 32:].std() == pytest.approx(0.05, rel=0.05)


def test_streaks_cross_one_slice():
    streaks = disturbances(
        np.random.default_rng(0), PLAIN._replace(streaks=0.1, disturbed=0.9), FRAME, LEVELS
    )
    assert np.abs(streaks[4]).max() > 0.05 and not streaks[:4].any()


def test_some_scans_are_disturbed_and_most_are_not():
    scanners = [
        sample_scanner(np.random.default_rng(seed), noise=(0.01, 0.02)) for seed in range(200)
    ]
    assert 0.2 < np.mean([scanner.motion > 0 for scanner in scanners]) < 0.4
    assert 0.2 < np.mean([scanner.streaks > 0 for scanner in scanners]) < 0.4
    assert all(0.01 <= scanner.noise <= 0.02 for scanner in scanners)
