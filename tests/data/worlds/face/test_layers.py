import numpy as np
import pytest

from cfx_jax.data.worlds.face.layers import (
    hill,
    hills,
    mix,
    on_both_sides,
    paint,
    planes,
    symmetric,
)

GRID = tuple(
    np.meshgrid(np.linspace(-1, 1, 21, dtype=np.float32), np.linspace(-1, 1, 21, dtype=np.float32))
)
RED = (1.0, 0.0, 0.0)


def test_paint_covers_by_its_opacity_and_leaves_the_old_scene_alone():
    scene = np.full((3, 1, 3), 0.5, np.float32)
    painted = paint(scene, np.array([[0.0, 0.5, 1.0]], np.float32), RED)
    np.testing.assert_allclose(painted[:, 0].T, [(0.5, 0.5, 0.5), (0.75, 0.25, 0.25), (1, 0, 0)])
    assert (scene == 0.5).all() and painted.dtype == np.float32


def test_paint_takes_a_colour_for_each_pixel():
    scene, colours = (
        np.zeros((3, 2, 2), np.float32),
        np.random.default_rng(0).random((3, 2, 2)).astype(np.float32),
    )
    np.testing.assert_array_equal(paint(scene, np.ones((2, 2), np.float32), colours), colours)


def test_planes_are_the_channels():
    assert planes(RED).shape == (3, 1, 1) and planes(RED).ravel().tolist() == [1, 0, 0]


def test_mix_goes_from_the_first_colour_to_the_second():
    assert mix(RED, (0.0, 1.0, 0.5), 0.0) == RED
    assert mix(RED, (0.0, 1.0, 0.5), 0.25) == pytest.approx((0.75, 0.25, 0.125))


def test_hill_is_1_on_top_and_falls_to_1_over_e_at_its_size():
    land = hill(GRID, (0.2, -0.1), (0.3, 0.5))
    assert land[9, 12] == pytest.approx(1) and land[9, 15] == pytest.approx(np.exp(-1), rel=1e-4)
    assert land[14, 12] == pytest.approx(np.exp(-1), rel=1e-4)


def test_hills_are_mirrored():
    land = hills(GRID, (0.4, 0.0), (0.1, 0.1))
    np.testing.assert_allclose(land, land[:, ::-1], rtol=1e-4)
    assert land[10, 14] == pytest.approx(1) and land[10, 10] < 1e-3


def test_outlines_are_mirrored():
    half = np.array([(0.1, -1.0), (0.5, 0.0), (0.1, 1.0)])
    outline = symmetric(half)
    np.testing.assert_array_equal(outline[::-1] * (-1, 1), outline)
    right, left = on_both_sides(half)
    np.testing.assert_array_equal(right * (-1, 1), left)
