import numpy as np
import pytest

from cfx_jax.data.worlds.brain import (
    Scanner,
    acquire,
    receiver_noise,
    ripples,
    sample_scanner,
    sensitivity,
    tag,
)
from cfx_jax.data.worlds.drawing import Frame

FRAME = Frame(64, (0.5, 0.5), 0.45)
PLAIN = Scanner(
    blur=0.0,
    gain=1.0,
    gamma=1.0,
    bias=0.0,
    noise=0.0,
    echo_distance=0.2,
    echo_strength=0.2,
    echo_axis=0,
)
SCENE = np.random.default_rng(0).random((64, 64), dtype=np.float32)
EVEN, QUIET, BLANK = (
    np.ones((64, 64), np.float32),
    np.zeros((2, 64, 64), np.float32),
    np.zeros((64, 64), np.float32),
)


def test_plain_scanner_shows_the_scene():
    np.testing.assert_allclose(
        acquire(SCENE, PLAIN, EVEN, QUIET, BLANK, FRAME)[..., 0], SCENE, atol=1e-6
    )


def test_slices_stay_in_range():
    for seed in range(20):
        scanner, rng = sample_scanner(np.random.default_rng(seed)), np.random.default_rng(seed)
        noise, coils = receiver_noise(rng, scanner, FRAME), sensitivity(rng, scanner, FRAME)
        shown = acquire(1.5 * SCENE - 0.2, scanner, coils, noise, BLANK, FRAME)
        assert (
            shown.shape == (64, 64, 1)
            and shown.dtype == np.float32
            and shown.min() >= 0
            and shown.max() <= 1
        )


def test_noise_of_the_dark_follows_rayleigh():
    noise = receiver_noise(
        np.random.default_rng(0), PLAIN._replace(noise=0.03), Frame(256, (0.5, 0.5), 0.45)
    )
    dark = np.zeros((256, 256), np.float32)
    shown = acquire(dark, PLAIN, np.ones_like(dark), noise, dark, Frame(256, (0.5, 0.5), 0.45))
    assert shown.mean() == pytest.approx(0.03 * np.sqrt(np.pi / 2), rel=0.02)
    assert shown.std() == pytest.approx(0.03 * np.sqrt(2 - np.pi / 2), rel=0.02)


def test_sensitivity_is_smooth_around_the_gain():
    drawn = [
        sensitivity(np.random.default_rng(i), PLAIN._replace(gain=0.9, bias=0.1), FRAME)
        for i in range(100)
    ]
    assert np.mean(drawn) == pytest.approx(0.9, abs=0.03) and np.std(drawn) == pytest.approx(
        0.08, abs=0.03
    )
    assert np.abs(np.diff(drawn, axis=1)).max() < 0.05


@pytest.mark.parametrize("axis", [0, 1])
def test_ripples_are_fading_copies_of_what_is_bright(axis):
    scene = np.full((64, 64), 0.3, np.float32)
    scene[32, 32] = 1.0
    added = np.moveaxis(ripples(scene, PLAIN._replace(echo_axis=axis), FRAME), axis, 0)[:, 32]
    step = round(0.2 * 0.45 * 64)
    expected = {
        32 + side * n * step: 0.6 * 0.2 * (-1) ** (n + 1) / n
        for n in range(1, 5)
        for side in (-1, 1)
    }
    np.testing.assert_allclose(
        [added[place] for place in expected], list(expected.values()), rtol=1e-5
    )
    assert np.count_nonzero(added) == len(expected)


def test_tag_is_small_and_bright():
    planted = tag(64)
    shown = acquire(BLANK, PLAIN, EVEN, QUIET, planted, FRAME)
    assert shown.max() > 0.7 and 0.002 < (planted > 0).mean() < 0.03
    np.testing.assert_array_equal(shown[planted == 0], 0)
