import numpy as np
import pytest

from cfx_jax.data.worlds.ct import levels_of
from cfx_jax.data.worlds.ct.stack import Painter, Stack, ellipse, solid_noise, stack_slices
from cfx_jax.data.worlds.drawing import whole_picture

FRAME = whole_picture(64)
SQUARE = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


def painter():
    return Painter(FRAME, lambda points: points)


def test_levels_are_the_middles_of_equal_slices():
    np.testing.assert_allclose(levels_of(4), [0.125, 0.375, 0.625, 0.875])


def test_later_shapes_cover_earlier_ones_on_both_layers():
    one = painter()
    one.fill(2 * SQUARE, 0.4, organ=True)
    one.fill(SQUARE, 0.8)
    brightness, organ = one.finish()
    assert brightness[32, 32] == pytest.approx(0.8, abs=0.01) and organ[32, 32] == 0
    assert brightness[4, 4] == pytest.approx(0.4, abs=0.01) and organ[4, 4] == 1


def test_strokes_and_dots_are_drawn_where_they_are_placed():
    one = painter()
    one.stroke(np.array([[(-0.5, 0.0), (0.5, 0.0)]]), 0.25, 1.0)
    one.dots(np.array([(0.0, 0.75)]), np.array([0.125]), 0.5, organ=True)
    brightness, organ = one.finish()
    assert brightness[32, 32] == 1 and brightness[56, 32] == pytest.approx(0.5, abs=0.01)
    assert organ[32, 32] == 0 and organ[56, 32] == 1
    assert (brightness[:, 32] > 0.9).sum() == pytest.approx(8, abs=1)


def test_shapes_can_leave_the_organ_as_it_is():
    one = painter()
    one.fill(SQUARE, 0.4, organ=True)
    one.fill(2 * SQUARE, 0.8, organ=None)
    brightness, organ = one.finish()
    assert brightness[32, 32] == brightness[4, 4] and (organ[32, 32], organ[4, 4]) == (1, 0)


def test_slices_are_stacked_from_the_lowest():
    stack = stack_slices(
        [(np.full((4, 4), level), np.full((4, 4), 1 - level)) for level in (0.1, 0.7)]
    )
    assert stack.brightness[0, 0, 0] == 0.1 and stack.organ[1, 0, 0] == pytest.approx(0.3)
    np.testing.assert_array_equal(stack.holds_organ[:, 0, 0], [True, False])
    assert isinstance(stack, Stack)


def test_ellipse_has_its_axes_and_its_turn():
    outline = ellipse((0.2, -0.1), (0.3, 0.1))
    np.testing.assert_allclose(np.linalg.norm((outline - (0.2, -0.1)) / (0.3, 0.1), axis=-1), 1)
    turned = ellipse((0.0, 0.0), (0.3, 0.1), turn=np.pi / 2)
    np.testing.assert_allclose(np.abs(turned).max(0), (0.1, 0.3), atol=1e-12)


def test_noise_is_of_unit_size_and_smooth_along_all_axes():
    noise = np.stack(
        [solid_noise(np.random.default_rng(seed), 64, 32, cells=5) for seed in range(40)]
    )
    assert noise.shape == (40, 32, 64, 64) and noise.dtype == np.float32
    assert abs(noise.mean()) < 0.05 and 0.6 < noise.std() < 1.0
    for axis in (1, 2, 3):
        assert np.abs(np.diff(noise, axis=axis)).mean() < 0.25 * noise.std()


def test_noise_is_the_same_whatever_the_size_and_the_number_of_slices():
    coarse, fine = (solid_noise(np.random.default_rng(0), 16 * n, 8 * n, cells=4) for n in (2, 4))
    averaged = fine.reshape(16, 2, 32, 2, 32, 2).mean((1, 3, 5))
    assert np.abs(averaged - coarse).max() < 0.1
