"""Moves of a picture against SciPy's affine transform, and their laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, stats
from small_classifiers import images

from cfx_jax.attributions import AugmentationRanges
from cfx_jax.attributions.affine_moves import Move, apply_move, draw_move, invert, is_read_inside
from cfx_jax.errors import InputError

NOTHING = AugmentationRanges(0, 0, 0, (1, 1), False, False)
WILD = AugmentationRanges(40, 3, 3, (0.6, 1.5))
DRAWS = jax.random.split(jax.random.key(0), 400)


def draws(ranges):
    return jax.tree.map(np.asarray, jax.vmap(lambda key: draw_move(key, ranges))(DRAWS))


@pytest.mark.parametrize("channels", [(), (3,)])
def test_moving_is_scipys_affine_transform(channels):
    picture = np.random.default_rng(0).normal(size=(9, 12, *channels)).astype(np.float32)
    for key in DRAWS[:5]:
        matrix, shift = move = draw_move(key, WILD)
        center = np.asarray([4, 5.5])
        offset = center + shift - matrix @ center
        planes = picture.reshape(9, 12, -1)
        expected = [
            ndimage.affine_transform(each, matrix, offset, order=1, mode="nearest")
            for each in planes.T.swapaxes(1, 2)
        ]
        np.testing.assert_allclose(
            apply_move(jnp.asarray(picture), move).reshape(planes.shape),
            np.stack(expected, -1),
            atol=1e-4,
        )


def test_moving_back_is_the_inverse():
    moves = jax.vmap(lambda key: draw_move(key, WILD))(DRAWS)
    back = jax.vmap(invert)(moves)
    products = np.asarray(back.matrix) @ np.asarray(moves.matrix)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(2), products.shape), atol=1e-6)
    corner = np.asarray([112.0, -112.0])
    there = np.asarray(moves.matrix) @ corner + moves.shift
    again = np.einsum("nij,nj->ni", back.matrix, there) + back.shift
    np.testing.assert_allclose(again, np.broadcast_to(corner, again.shape), atol=1e-4)


def test_a_smooth_picture_returns():
    rows, columns = np.indices((64, 64)) / 64
    picture = jnp.asarray(
        0.5 + 0.5 * np.sin(2 * np.pi * rows) * np.cos(2 * np.pi * columns), jnp.float32
    )
    for key in DRAWS[:5]:
        move = draw_move(key, AugmentationRanges())
        back = invert(move)
        seen = ndimage.binary_erosion(np.asarray(is_read_inside(back, (64, 64))), iterations=2)
        assert seen.mean() > 0.5
        np.testing.assert_allclose(
            np.asarray(apply_move(apply_move(picture, move), back))[seen], picture[seen], atol=1e-2
        )


def test_whole_pixels_and_flips_are_exact():
    picture = jnp.asarray(images(1)[0])
    shifted = apply_move(picture, Move(jnp.eye(2), jnp.asarray([2.0, -3.0])))
    np.testing.assert_array_equal(shifted[:-2, 3:], picture[2:, :-3])
    np.testing.assert_array_equal(shifted[:-2, :3], jnp.repeat(picture[2:, :1], 3, axis=1))
    flipped = apply_move(picture, Move(jnp.diag(jnp.asarray([1.0, -1.0])), jnp.zeros(2)))
    np.testing.assert_array_equal(flipped, picture[:, ::-1])
    np.testing.assert_array_equal(apply_move(picture, draw_move(DRAWS[0], NOTHING)), picture)


def test_pixels_read_beyond_the_frame_are_outside():
    """A shift of 2.5 rows reads beyond row 7.5 from row 5 on; row 5 is read at the edge itself."""
    found = is_read_inside(Move(jnp.eye(2), jnp.asarray([2.5, 0.0])), (8, 8))
    np.testing.assert_array_equal(found[:, 0], np.arange(8) <= 5)


def test_angles_and_shifts_and_zooms_are_uniform():
    turned = draws(AugmentationRanges(5, 0, 0, (1, 1), False, False)).matrix
    angles = np.rad2deg(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]))
    np.testing.assert_allclose(np.linalg.det(turned), 1, atol=1e-6)
    shifts = draws(AugmentationRanges(0, 10, 4, (1, 1), False, False)).shift
    zooms = draws(AugmentationRanges(0, 0, 0, (0.9, 1.1), False, False)).matrix[:, [0, 1], [0, 1]]
    for values, low, high in [
        (angles, -5, 5),
        (shifts[:, 0], -10, 10),
        (shifts[:, 1], -4, 4),
        (zooms[:, 0], 0.9, 1.1),
        (zooms[:, 1], 0.9, 1.1),
    ]:
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(zooms.T)[0, 1]) < 0.2


@pytest.mark.parametrize(("horizontal", "vertical"), [(True, True), (True, False), (False, True)])
def test_flips_are_fair_and_only_the_wanted_ones(horizontal, vertical):
    signs = draws(AugmentationRanges(0, 0, 0, (1, 1), horizontal, vertical)).matrix[
        :, [0, 1], [0, 1]
    ]
    for axis, wanted in enumerate((vertical, horizontal)):
        assert set(signs[:, axis]) == ({-1.0, 1.0} if wanted else {1.0})
        assert (
            not wanted or stats.binomtest(int((signs[:, axis] > 0).sum()), len(signs)).pvalue > 1e-3
        )


def test_shift_and_zoom_are_along_the_turned_axes():
    """Rotation @ shift and rotation @ zoom: the columns of the matrix stay orthogonal, the shift is
    along the first.
    """
    matrix, shift = draws(AugmentationRanges(90, 10, 0, (0.5, 1.5), False, False))
    np.testing.assert_allclose((matrix[:, :, 0] * matrix[:, :, 1]).sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose((shift * matrix[:, :, 1]).sum(axis=1), 0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotation": -1.0}, "rotation: expected the half-width of a range, at least 0, got -1.0"),
        (
            {"height_shift": float("nan")},
            "height_shift: expected the half-width of a range, at least 0, got nan",
        ),
        (
            {"width_shift": float("inf")},
            "width_shift: expected the half-width of a range, at least 0, got inf",
        ),
        (
            {"zoom": (1.0, 0.9)},
            r"zoom: expected an ascending range of factors above 0, got \(1.0, 0.9\)",
        ),
        (
            {"zoom": (0.0, 1.0)},
            r"zoom: expected an ascending range of factors above 0, got \(0.0, 1.0\)",
        ),
    ],
)
def test_wrong_ranges_are_named(options, message):
    with pytest.raises(InputError, match=message):
        AugmentationRanges(**options)


def test_double_precision_draws_the_same_moves():
    for key in DRAWS[:5]:
        expected = draw_move(key, WILD)
        with jax.enable_x64(True):
            drawn = draw_move(key, WILD)
        for one, other in zip(drawn, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6)
