import numpy as np
import pytest

from cfx_jax.data.worlds.drawing import Frame
from cfx_jax.data.worlds.fundus.layers import Spots, cover, dim, opacity

FRAME = Frame(32, (0.5, 0.5), 0.45)
ONE = Spots(1, np.array([[0.1, 0.2]]), np.array([0.3]), np.array([0.8]))
NONE = Spots(0, np.zeros((0, 2)), np.zeros(0), np.zeros(0))


def test_no_spots_are_transparent():
    assert opacity(FRAME, NONE).shape == (32, 32, 1) and not opacity(FRAME, NONE, soft=True).any()


def test_softening_keeps_the_amount_and_lowers_the_edge():
    hard, soft = opacity(FRAME, ONE), opacity(FRAME, ONE, soft=True)
    assert soft.sum() == pytest.approx(hard.sum(), rel=0.01)
    assert np.abs(np.diff(soft, axis=0)).max() < np.abs(np.diff(hard, axis=0)).max()


def test_dim_by_hand():
    image, tint = np.full((1, 2, 3), 0.8), np.array([1.0, 0.5, 0.0])
    result = dim(image, np.array([[[0.0], [0.5]]]), tint)
    np.testing.assert_allclose(result, [[[0.8, 0.8, 0.8], [0.8, 0.6, 0.4]]])


def test_cover_by_hand():
    image, colour = np.full((1, 3, 3), 0.75), np.array([1.0, 0.9, 0.5])
    result = cover(image, np.array([[[0.0], [0.5], [1.0]]]), colour)
    np.testing.assert_allclose(result[0], [image[0, 0], (image[0, 0] + colour) / 2, colour])


def test_cover_follows_the_light():
    light, shade = np.full((1, 1, 3), 0.75), np.full((1, 1, 3), 0.5)
    colour, full = np.array([0.9, 0.8, 0.7]), np.ones((1, 1, 1))
    np.testing.assert_allclose(cover(shade, full, colour), cover(light, full, colour) * 2 / 3)
