import numpy as np
import pytest

from cfx_jax.data.fundus import clahe
from cfx_jax.errors import InputError

color = pytest.importorskip("skimage.color")

RNG = np.random.default_rng(0)
# Red, and pale enough that no channel clips on the way back from the new lightness.
IMAGE = (
    RNG.beta(2, 5, (256, 320, 1)) * 90 + (100, 70, 60) + RNG.uniform(0, 15, (256, 320, 3))
).astype(np.uint8)


def lightness(image):
    """CIELAB's L of an image in 0..255, by scikit-image."""
    return color.rgb2lab(image)[..., 0] * 2.55


def equalised(levels, clip_limit):
    """Clipped histogram equalisation of one tile, written from its definition: the excess is spread
    over all bins.
    """
    counts = np.bincount(np.round(levels).astype(int).ravel(), minlength=256).astype(float)
    limit = clip_limit * counts.sum() / 256
    excess = np.clip(counts - limit, 0, None).sum()
    spread = np.minimum(counts, limit) + excess / 256
    return (np.cumsum(spread) * 255 / counts.sum())[np.round(levels).astype(int)]


@pytest.mark.parametrize("clip_limit", [1.5, 2.0, 4.0])
def test_one_tile_is_clipped_histogram_equalisation_of_the_lightness(clip_limit):
    result = clahe(IMAGE, clip_limit=clip_limit, tiles=1)
    shown = (result.min(-1) > 0) & (result.max(-1) < 255)
    assert shown.mean() > 0.7
    difference = np.abs(lightness(result) - equalised(lightness(IMAGE), clip_limit))
    assert difference[shown].mean() < 1  # of 255: rounding, of the levels twice and of the colours


def test_the_colour_of_a_pixel_stays():
    result = clahe(IMAGE)
    shown = (result.min(-1) > 0) & (result.max(-1) < 255)
    assert np.abs(color.rgb2lab(result) - color.rgb2lab(IMAGE))[shown][:, 1:].mean() < 1


def test_contrast_rises_in_each_part_of_an_unevenly_lit_image():
    ramp = np.linspace(40, 200, 200)[None, :, None]
    texture = RNG.normal(0, 4, (200, 200, 1))
    image = np.clip(ramp + texture, 0, 255).astype(np.uint8).repeat(3, -1)
    result = clahe(image)
    for left in range(0, 200, 40):
        part = np.s_[80:120, left : left + 8]
        assert result[part].std() > 1.3 * image[part].std()


def test_a_new_array_of_the_same_form():
    before = IMAGE.copy()
    result = clahe(IMAGE)
    assert result.shape == IMAGE.shape and result.dtype == np.uint8
    np.testing.assert_array_equal(IMAGE, before)


def test_mistakes_are_named():
    with pytest.raises(
        InputError, match=r"expected one colour image \(h, w, 3\), got shape \(256, 320\)"
    ):
        clahe(IMAGE[..., 0])
    with pytest.raises(
        InputError, match=r"expected uint8 pixels in 0\.\.255, got float32: convert"
    ):
        clahe(np.float32(IMAGE))
    with pytest.raises(InputError, match="clip_limit: expected a finite number above 0, got 0"):
        clahe(IMAGE, clip_limit=0)
    with pytest.raises(InputError, match="tiles: expected at least 1 tile a side, got 0"):
        clahe(IMAGE, tiles=0)
