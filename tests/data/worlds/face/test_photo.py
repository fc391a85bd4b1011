import numpy as np

from cfx_jax.data.worlds.drawing import whole_picture
from cfx_jax.data.worlds.face import background, camera_noise, photograph, sample_photo

FRAME = whole_picture(48)
PHOTOS = [sample_photo(np.random.default_rng(i)) for i in range(200)]
NEUTRAL = PHOTOS[0]._replace(warmth=0.0, gain=1.0, contrast=1.0, blur=0.0, noise=0.0)
SCENE = np.random.default_rng(0).random((3, 48, 48)).astype(np.float32)
QUIET = np.zeros((48, 48, 3), np.float32)


def test_neutral_photograph_is_the_scene_with_its_channels_last():
    picture = photograph(SCENE, NEUTRAL, QUIET, FRAME)
    np.testing.assert_allclose(picture, SCENE.transpose(1, 2, 0), atol=1e-6)
    assert picture.dtype == np.float32


def test_pictures_stay_in_range_and_keep_a_mean_between():
    for photo in PHOTOS[:30]:
        picture = photograph(
            3 * SCENE - 1, photo, camera_noise(np.random.default_rng(1), photo, FRAME), FRAME
        )
        assert picture.min() >= 0 and picture.max() <= 1 and 0.2 < picture.mean() < 0.8


def test_contrast_keeps_the_mid_tone_gain_multiplies_and_warmth_reddens():
    def middle(level, **changes):
        return photograph(
            np.full((3, 48, 48), level, np.float32), NEUTRAL._replace(**changes), QUIET, FRAME
        )[24, 24]

    np.testing.assert_allclose(middle(0.5, contrast=1.2), 0.5, atol=1e-6)
    np.testing.assert_allclose(middle(0.6, contrast=1.5), 0.65, atol=1e-6)
    np.testing.assert_allclose(middle(0.4, gain=1.1), 0.44, atol=1e-6)
    np.testing.assert_allclose(middle(0.4, warmth=0.05), (0.42, 0.4, 0.38), atol=1e-6)


def test_blur_smooths():
    sharp, blurred = (
        photograph(SCENE, NEUTRAL._replace(blur=blur), QUIET, FRAME) for blur in (0.0, 0.05)
    )
    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.5 * np.abs(np.diff(sharp, axis=0)).mean()


def test_noise_has_the_stated_deviation():
    noise = camera_noise(np.random.default_rng(0), NEUTRAL._replace(noise=0.02), FRAME)
    assert (
        noise.shape == (48, 48, 3) and abs(noise.std() - 0.02) < 0.001 and abs(noise.mean()) < 0.001
    )


def test_background_is_in_range_about_the_backdrop_and_brighter_towards_the_light():
    grey = NEUTRAL._replace(backdrop=(0.5, 0.5, 0.5), side_light=0.9)
    drawn = np.stack([background(np.random.default_rng(i), grey, FRAME) for i in range(60)])
    assert drawn.min() >= 0 and drawn.max() <= 1 and abs(drawn.mean() - 0.5) < 0.03
    assert drawn[..., 32:].mean() > drawn[..., :16].mean() + 0.03


def test_photographs_differ_in_every_way():
    numbers = np.array([photo[2:] for photo in PHOTOS])
    assert (numbers.std(0) > 0).all() and (np.abs(numbers[:, 0]) <= 0.9).all()
    assert np.std([photo.backdrop for photo in PHOTOS]) > 0.15
