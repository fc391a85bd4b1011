import numpy as np

from cfx_jax.data.worlds.chest import (
    opacity_boxes,
    opacity_density,
    sample_anatomy,
    sample_opacities,
)

CHEST = sample_anatomy(np.random.default_rng(0))
FRAME = CHEST.frame(64)


def sampled(seed, severity=1.0):
    return sample_opacities(np.random.default_rng(seed), CHEST, severity=severity)


def test_there_are_one_to_three_with_the_published_mean():
    numbers = np.array([len(sampled(seed)) for seed in range(2000)])
    assert set(numbers) == {1, 2, 3} and abs(numbers.mean() - 1.59) < 0.06


def test_density_is_soft_and_ends_at_the_ellipse():
    for opacity in sampled(1) + sampled(2):
        density = opacity_density(opacity, FRAME)
        assert (
            density.min() == 0
            and 0.3 * opacity.strength < density.max() <= opacity.strength * 1.001
        )
        rows, columns = np.flatnonzero(density.any(1)), np.flatnonzero(density.any(0))
        assert (
            len(rows) <= 2 * 64 * opacity.half_size[1] + 1.01
            and len(columns) <= 2 * 64 * opacity.half_size[0] + 1.01
        )


def test_severity_multiplies_the_density():
    once, twice = (opacity_density(sampled(5, severity)[0], FRAME) for severity in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)


def test_boxes_hold_each_opacitys_own_pixels():
    one, other = np.zeros((8, 8)), np.zeros((8, 8))
    one[1:4, 2:5] = 0.5
    other[3:7, 4:8] = 0.2
    visible = (one + other) > 0.1
    np.testing.assert_array_equal(
        opacity_boxes([one, other], visible), [(1, 2, 4, 5), (3, 4, 7, 8)]
    )


def test_boxes_of_overlapping_opacities_share_the_pixels_where_both_are_dense():
    one, other = np.zeros((8, 8)), np.zeros((8, 8))
    one[1:5, 1:5] = 0.3
    other[3:7, 3:7] = 0.2
    np.testing.assert_array_equal(
        opacity_boxes([one, other], (one + other) > 0), [(1, 1, 5, 5), (3, 3, 7, 7)]
    )


def test_an_opacity_that_is_not_seen_has_no_box():
    one = np.zeros((8, 8))
    one[2:4, 2:4] = 1
    assert opacity_boxes([one], np.zeros((8, 8), bool)).shape == (0, 4)
    assert opacity_boxes([one, 0 * one], one > 0).shape == (1, 4)
