import numpy as np

from cfx_jax.data.worlds.drawing import Frame
from cfx_jax.data.worlds.fundus import (
    Camera,
    add_mark,
    eye_coverage,
    mark_opacity,
    photograph,
    sample_camera,
    sensor_noise,
)
from cfx_jax.data.worlds.fundus.camera import BACKGROUND

FRAME = Frame(64, (0.5, 0.5), 0.47)
EYE = eye_coverage(FRAME)
SCENE = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
PLAIN = Camera(blur=0.0, gain=1.0, contrast=1.0, noise=0.0)
NO_NOISE = np.zeros_like(SCENE)


def test_plain_camera_shows_the_scene_inside_and_the_background_outside():
    picture = photograph(SCENE, PLAIN, NO_NOISE, EYE, FRAME)
    np.testing.assert_allclose(picture[EYE == 1], SCENE[EYE == 1], atol=1e-6)
    np.testing.assert_array_equal(picture[EYE == 0], np.float32(BACKGROUND))


def test_pictures_stay_in_range():
    for seed in range(20):
        camera = sample_camera(np.random.default_rng(seed))
        noise = sensor_noise(np.random.default_rng(seed), camera, FRAME)
        picture = photograph(SCENE * 2 - 0.3, camera, noise, EYE, FRAME)
        assert picture.dtype == np.float32 and picture.min() >= 0 and picture.max() <= 1


def test_contrast_leaves_the_mid_tone():
    flat = np.full_like(SCENE, 0.35)
    picture = photograph(flat, PLAIN._replace(contrast=1.3), NO_NOISE, EYE, FRAME)
    np.testing.assert_allclose(picture[EYE == 1], 0.35, atol=1e-6)


def test_noise_has_the_stated_deviation():
    noise = sensor_noise(np.random.default_rng(0), PLAIN._replace(noise=0.02), FRAME)
    assert abs(noise.std() / 0.02 - 1) < 0.05


def test_blur_smooths():
    sharp, blurred = (
        photograph(SCENE, PLAIN._replace(blur=b), NO_NOISE, EYE, FRAME) for b in (0.0, 0.05)
    )
    assert (
        np.diff(blurred, axis=0)[20:40, 20:40].std()
        < 0.5 * np.diff(sharp, axis=0)[20:40, 20:40].std()
    )


def test_mark_is_small_bright_and_inside_the_eye():
    dark = np.zeros_like(SCENE)
    marked = add_mark(dark, FRAME)
    changed = mark_opacity(FRAME)[..., 0] > 0
    assert 0 < changed.mean() < 0.01 and (EYE[changed] == 1).all()
    assert marked.max() > 0.7 and not marked[~changed].any()
