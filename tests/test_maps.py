"""Channel sums, scaling and thresholds of maps by hand; smoothing and upsampling against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from cfx_jax.errors import InputError
from cfx_jax.maps import channel_sum, min_max, quantile_threshold, smooth, upsample

SMALL = np.random.default_rng(1).normal(size=(13, 9, 2)).astype(np.float32)
MAP = jnp.asarray(np.random.default_rng(0).normal(size=(224, 224)), jnp.float32)


def test_channel_sum_adds_absolute_values():
    np.testing.assert_array_equal(
        channel_sum(jnp.asarray([[[1.0, -2.0], [0.0, 3.0]]])), [[3.0, 3.0]]
    )


def test_min_max_spans_the_unit_interval_and_maps_a_constant_to_zero():
    scaled = min_max(MAP)
    assert (float(scaled.min()), float(scaled.max())) == (0.0, 1.0)
    np.testing.assert_array_equal(min_max(jnp.full((3, 3), 7.0)), 0)


@pytest.mark.parametrize(("quantile", "kept"), [(0.96, 2008), (0.98, 1004)])
def test_threshold_keeps_the_published_number_of_pixels(quantile, kept):
    assert int(quantile_threshold(MAP, quantile).sum()) == kept


def test_threshold_ignores_a_positive_rescaling():
    np.testing.assert_array_equal(
        quantile_threshold(MAP, 0.9), quantile_threshold(3 * MAP + 2, 0.9)
    )


def test_mask_is_applied_after_the_quantile():
    mask = jnp.zeros(MAP.shape, bool).at[:100].set(True)
    np.testing.assert_array_equal(
        quantile_threshold(MAP, 0.9, mask=mask), quantile_threshold(MAP, 0.9) & mask
    )


def test_maps_of_many_images_go_through_vmap():
    maps = jnp.stack([MAP, -MAP])
    batched = jax.vmap(lambda one: quantile_threshold(one, 0.9))(maps)
    np.testing.assert_array_equal(batched[1], quantile_threshold(-MAP, 0.9))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((MAP, 96), r"quantile: expected a number in \[0, 1\], got 96"),
        ((MAP[None], 0.9), r"saliency: expected one map \(h, w\), got shape \(1, 224, 224\)"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        quantile_threshold(*arguments)
    with pytest.raises(
        InputError,
        match=r"saliency: expected one map of a volume \(s, h, w\), got shape \(224, 224\)",
    ):
        quantile_threshold(MAP, 0.9, volume=True)


def test_a_volume_has_one_threshold_over_all_slices():
    volume = jnp.stack([MAP, MAP + 1])
    mask = jnp.ones(volume.shape, bool).at[1, 0].set(False)
    expected = np.asarray(volume) >= np.quantile(np.asarray(volume), 0.9)
    np.testing.assert_array_equal(quantile_threshold(volume, 0.9, volume=True), expected)
    np.testing.assert_array_equal(
        quantile_threshold(volume, 0.9, mask=mask, volume=True), expected & mask
    )
    assert expected[1].sum() > 2 * expected[0].sum()


def test_the_slices_of_a_volume_are_smoothed_and_enlarged_for_themselves():
    volume = np.stack([SMALL, SMALL[::-1], 2 * SMALL])
    for found, method in (
        (smooth(volume, sigma=1.5, border="zero"), lambda x: smooth(x, sigma=1.5, border="zero")),
        (upsample(volume, (20, 30)), lambda x: upsample(x, (20, 30))),
    ):
        np.testing.assert_allclose(found, [method(each) for each in volume], atol=1e-6)
    np.testing.assert_array_equal(channel_sum(volume)[1], channel_sum(volume[1]))


def test_mask_of_another_shape_is_refused():
    with pytest.raises(
        InputError, match=r"mask: expected the map's shape \(224, 224\), got \(3, 3\)"
    ):
        quantile_threshold(MAP, 0.9, mask=jnp.ones((3, 3), bool))


@pytest.mark.parametrize(
    ("border", "scipy_mode"), [("reflect", "reflect"), ("edge", "nearest"), ("zero", "constant")]
)
@pytest.mark.parametrize(
    ("sigma", "radius"), [(0.7, None), (2.0, None), (5.0, None), (2.0, 14), (3.0, 0)]
)
def test_smoothing_is_scipys(border, scipy_mode, sigma, radius):
    expected = ndimage.gaussian_filter(
        SMALL.astype(float), sigma, mode=scipy_mode, radius=radius, axes=(0, 1)
    )
    np.testing.assert_allclose(
        smooth(SMALL, sigma=sigma, radius=radius, border=border), expected, atol=2e-6
    )
    np.testing.assert_allclose(
        smooth(SMALL[..., 0], sigma=sigma, radius=radius, border=border),
        expected[..., 0],
        atol=2e-6,
    )


def test_a_bright_pixel_becomes_the_kernel():
    """29 taps of standard deviation 2, the kernel of Charachon et al. 2021."""
    taps = np.exp(-0.5 * (np.arange(-14, 15) / 2) ** 2)
    taps /= taps.sum()
    found = smooth(jnp.zeros((41, 41)).at[20, 20].set(1.0), sigma=2.0, radius=14, border="zero")
    np.testing.assert_allclose(found[6:35, 6:35], np.outer(taps, taps), rtol=1e-4)
    assert float(found.sum()) == pytest.approx(1, abs=1e-6)
    assert int((found > 0).sum()) == 29**2


def test_reflection_keeps_the_sum_and_zeros_darken_the_border():
    bright = jnp.ones((20, 20))
    np.testing.assert_allclose(smooth(bright, sigma=3.0), 1, atol=1e-6)
    assert float(smooth(SMALL, sigma=3.0).sum()) == pytest.approx(float(SMALL.sum()), abs=1e-4)
    darkened = smooth(bright, sigma=3.0, border="zero")
    assert float(darkened[0, 0]) < 0.35 < 0.99 < float(darkened[10, 10])


def test_sigma_may_be_traced_where_the_radius_is_given():
    blur = jax.jit(lambda sigma: smooth(SMALL, sigma=sigma, radius=8))
    np.testing.assert_allclose(blur(2.0), smooth(SMALL, sigma=2.0), atol=1e-6)
    with pytest.raises(
        InputError, match=r"radius: expected a number of pixels where sigma is traced, got None"
    ):
        jax.jit(lambda sigma: smooth(SMALL, sigma=sigma))(2.0)


@pytest.mark.parametrize("size", [(13, 9), (26, 18), (40, 31), (14, 100)])
def test_upsampling_interpolates_between_centres_of_pixels(size):
    rows, columns = (
        (np.arange(new) + 0.5) * old / new - 0.5
        for new, old in zip(size, SMALL.shape[:2], strict=True)
    )
    grid = np.meshgrid(rows, columns, indexing="ij")
    expected = np.stack(
        [ndimage.map_coordinates(SMALL[..., c], grid, order=1, mode="nearest") for c in (0, 1)], -1
    )
    np.testing.assert_allclose(upsample(SMALL, size), expected, atol=1e-5)
    np.testing.assert_allclose(upsample(SMALL[..., 1], size), expected[..., 1], atol=1e-5)


def test_upsampling_two_pixels_by_hand():
    np.testing.assert_allclose(
        upsample(jnp.asarray([[0.0, 4.0]]), (1, 4)), [[0, 1, 3, 4]], atol=1e-6
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smooth(MAP, sigma=0.0), r"sigma: expected a finite number above 0, got 0.0"),
        (
            lambda: smooth(MAP, sigma=1.0, radius=-1),
            r"radius: expected an integer of at least 0, got -1",
        ),
        (
            lambda: smooth(MAP, sigma=1.0, border="wrap"),
            r"border: expected one of 'reflect', 'edge', 'zero', got 'wrap'",
        ),
        (
            lambda: smooth(MAP[0], sigma=1.0),
            r"saliency: expected one map \(h, w\), \(h, w, c\) or \(s, h, w, c\), got shape"
            r" \(224,\)",
        ),
        (
            lambda: upsample(MAP, (224, 100)),
            r"size: expected \(height, width\) of at least \(224, 224\), got \(224, 100\)",
        ),
        (
            lambda: upsample(SMALL[None, None], (64, 64)),
            r"saliency: expected one map .* got shape \(1, 1, 13, 9, 2\): use jax.vmap",
        ),
    ],
)
def test_mistakes_of_smoothing_and_upsampling_are_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_a_map_with_nan_has_no_threshold():
    with pytest.raises(InputError, match="saliency: expected a map without NaN"):
        quantile_threshold(jnp.asarray([[0.0, jnp.nan]]), 0.5)


@pytest.mark.parametrize("quantile", [0, 1, np.float64(0.5), np.int64(1)])
def test_the_quantile_may_be_a_whole_number(quantile):
    saliency = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    expected = saliency >= np.quantile(saliency, quantile)
    np.testing.assert_array_equal(quantile_threshold(saliency, quantile), expected)
