import numpy as np
import pytest

from cfx_jax.data.worlds.curves import POINTS, bezier, rotate, shoots, wiggle


def test_bezier_curve_is_bernsteins_polynomial():
    corners = np.random.default_rng(0).normal(size=(3, 4, 2))
    t = np.linspace(0, 1, POINTS)
    weights = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    np.testing.assert_allclose(
        bezier(corners), np.einsum("kt,nkc->ntc", weights, corners), atol=1e-12
    )


def test_wiggle_stays_within_its_amplitude_and_leaves_the_start():
    curves = bezier(np.random.default_rng(0).normal(size=(20, 3, 2)))
    moved = wiggle(np.random.default_rng(1), curves, 0.05) - curves
    assert np.abs(moved).max() <= 0.05 and np.abs(moved).max() > 0.03
    np.testing.assert_array_equal(moved[:, 0], 0)


def test_shoots_start_on_their_parents_and_reach_no_farther_than_asked():
    parents = bezier(np.random.default_rng(0).normal(size=(4, 3, 2)))
    branches, parent = shoots(np.random.default_rng(1), parents, per_parent=5, length=(0.1, 0.3))
    assert branches.shape == (20, POINTS, 2)
    np.testing.assert_array_equal(parent, np.repeat(np.arange(4), 5))
    for branch, number in zip(branches, parent, strict=True):
        assert np.isclose(branch[0], parents[number]).all(-1).any()
        assert np.linalg.norm(branch - branch[0], axis=-1).max() < 0.35


@pytest.mark.parametrize("angle", [np.pi / 2, np.full(2, np.pi / 2)])
def test_rotation_by_a_quarter_turn(angle):
    np.testing.assert_allclose(
        rotate(np.array([(1.0, 0.0), (0.0, 2.0)]), angle), [(0, 1), (-2, 0)], atol=1e-12
    )
